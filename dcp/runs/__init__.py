"""A run on disk: the folder, the handle on it, and what makes its files appear complete or not at all. No torch."""
