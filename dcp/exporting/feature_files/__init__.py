"""Files of features, one kind by suffix a file."""
