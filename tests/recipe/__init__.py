"""Recipes: what ships, what is refused and in which words, what is written."""
