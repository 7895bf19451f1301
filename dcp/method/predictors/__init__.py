"""The predictors that dcp has: one file each."""
