"""Runs of an arm that have no part in its scores: what is left are survivors, and who reads the scores must know.

An arm that is scored on the seeds that did not diverge looks better than its recipe is.
"""

from typing import Literal, NamedTuple

from dcp.comparison.arms import Member
from dcp.runs.run import Run

Fate = Literal["diverged", "unfinished", "no folder", "unreadable", "no encoder", "busy"]


class Absent(NamedTuple):
    """A run without a part in the scores."""

    arm: str  # its name in the comparison, or that of its runs where it has no arm there
    seed: int  # of the run
    fate: Fate  # what became of it
    status: str = ""  # as `Run.status`, where there is one
    why: str = ""  # the same


def diverged(run: Run) -> bool:
    """Whether it ended because its loss was not finite; runs of older versions do not say so."""
    return run.record.error == "diverged"


def unfinished(arm: str, run: Run) -> Absent | None:
    """What became of a run of an arm that did not finish; None if it did."""
    if run.record.status == "done":
        return None
    return Absent(arm, run.seed, "diverged" if diverged(run) else "unfinished", run.status, run.record.why)


def scored(member: Member) -> bool:
    """Whether some probe gave it a score."""
    return any(probe.score for probe in member.probes.values())
