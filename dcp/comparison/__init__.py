"""Runs side by side, as plain data: scores and differences with intervals, recipes, cost. No torch, no rendering."""

from dcp.comparison.compare import ArmScore, Comparison, ScoreRow, Setting, compare

__all__ = ["ArmScore", "Comparison", "ScoreRow", "Setting", "compare"]
