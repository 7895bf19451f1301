"""Runs side by side, as plain data: scores and differences with intervals, recipes, cost. No torch, no rendering."""

from dcp.comparison.absent import Absent
from dcp.comparison.compare import ArmScore, Comparison, ScoreRow, Setting, compare
from dcp.comparison.named import compare_named

__all__ = ["Absent", "ArmScore", "Comparison", "ScoreRow", "Setting", "compare", "compare_named"]
