"""Runs side by side, as plain data: scores and differences with intervals, recipes, cost. No torch, no rendering."""
