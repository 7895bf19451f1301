"""Training: one run, from a checked recipe to a run folder with an encoder in it."""
