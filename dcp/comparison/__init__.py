"""Runs side by side, as plain data: scores with intervals, differences with theirs, recipes, cost. No torch, no rendering."""

from dcp.comparison.compare import ArmScore, Comparison, ScoreRow, Setting, compare

__all__ = ["ArmScore", "Comparison", "ScoreRow", "Setting", "compare"]
