"""The objectives that dcp has: one file each."""
