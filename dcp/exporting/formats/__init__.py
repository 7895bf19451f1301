"""Formats of an encoder, one file each."""
