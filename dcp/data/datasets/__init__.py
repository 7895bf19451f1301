"""The data sets that dcp reads: one file each."""
