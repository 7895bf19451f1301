"""The linear model of the papers: its data, its flows in modes and in matrices, and their closed forms; float64."""
