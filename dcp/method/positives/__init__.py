"""The positives that dcp has: one file each."""
