"""Runs of an arm that have no part in its scores: what is left are survivors, and who reads the scores must know.

An arm that is scored on the seeds that did not diverge looks better than its recipe is.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from dcp.comparison.arms import Member
from dcp.runs.run import Run

NO_FOLDER = "left no run folder"
UNFINISHED = {
    "running": "it is running, or was killed",
    "failed": "it failed",
    "interrupted": "it was interrupted",
}


class Absent(NamedTuple):
    """A run without a part in the scores.

    Attributes:
        arm: its name in the comparison, or that of its runs where it has no arm there.
        seed: of the run.
        why: what became of it, the end of a sentence about its seed: "diverged".
    """

    arm: str
    seed: int
    why: str


def diverged(run: Run) -> bool:
    """Whether it ended because its loss was not finite."""
    return "error[diverged]" in run.record.why


def became(run: Run) -> str:
    """What became of a run that did not finish, the end of a sentence about its seed; "" if it finished."""
    status = run.record.status
    if status == "done":
        return ""
    if diverged(run):
        return "diverged"
    first = run.record.why.partition("\n")[0].rstrip(".")
    how = "running, or killed" if status == "running" else status
    return f"did not finish ({how}{first and f': {first}'})"


def lost(one: Member) -> bool:
    """Whether a run neither finished nor has scores."""
    return bool(became(one.run)) and not scored(one)


def scored(one: Member) -> bool:
    """Whether some probe gave it a score."""
    return any(probe.score for probe in one.probes.values())


def told(absent: Iterable[Absent], arms: Collection[str]) -> Iterator[str]:
    """A sentence for each arm that has absent runs.

    >>> list(told([Absent("b", 1, "diverged"), Absent("b", 3, "diverged")], arms=["a", "b"]))
    ["b, seeds 1, 3 diverged; b's scores are those of its other seeds."]

    Args:
        absent: the runs.
        arms: names of those that have scores.
    """
    by_arm: dict[str, list[Absent]] = {}
    for one in absent:
        by_arm.setdefault(one.arm, []).append(one)
    for name, those in by_arm.items():
        if name in arms:
            yield f"{name}, {_each(those)}; {name}'s scores are those of its other seeds."
        else:
            yield f"{name} has no scores, because none of its runs finished: {_each(those)}."


def half_way(one: Member) -> str:
    """A sentence on a run that has scores and did not finish."""
    status, why = one.run.record.status, one.run.record.why.rstrip(".")
    state = UNFINISHED.get(status, f"its status is {status}")
    return f"{one.label} is not finished: {state}{why and f' ({why})'}."


def _each(absent: Iterable[Absent]) -> str:
    """What became of which seeds."""
    by_why: dict[str, list[str]] = {}
    for one in sorted(absent, key=lambda one: one.seed):
        by_why.setdefault(one.why, []).append(str(one.seed))
    return ", ".join(f"seed{'s' * (len(seeds) > 1)} {', '.join(seeds)} {why}" for why, seeds in by_why.items())
