"""The targets that dcp has: one file each."""
