"""The experiments of `dcp theory`: one file each."""
