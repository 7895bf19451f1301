"""Scores as probes hold them."""

from collections.abc import Sequence

from dcp.comparison.arms import Member
from dcp.comparison.intervals import Interval
from dcp.runs.records import ProbeRecord, Scored

RIGHT = ("top1", "accuracy")  # the shares of test images whose prediction is their label
LARGEST = 1e60  # what is larger is no measurement, and its fourth power, in degrees of freedom, overflows
NO_PROBE = ProbeRecord()


def score_of(probe: Scored, score: str) -> float | None:
    """The value of a score in a probe, if it is there and is a plausible number."""
    return _plausible(probe.score.get(score))


def image_interval(probe: Scored, score: str) -> Interval | None:
    """The interval over test images that a probe gives for a score, if there is one."""
    low, high = map(_plausible, probe.interval.get(score) or (None, None))
    return None if low is None or high is None else (low, high)


def having(members: Sequence[Member], evaluation: str, score: str) -> list[Member]:
    """Those of `members` whose probe has the score."""
    return [member for member in members if score_of(member.probes.get(evaluation, NO_PROBE), score) is not None]


def values_of(members: Sequence[Member], evaluation: str, score: str) -> list[float]:
    """The score of each of `members` that has it."""
    values = [score_of(member.probes.get(evaluation, NO_PROBE), score) for member in members]
    return [value for value in values if value is not None]


def _plausible(value: float | None) -> float | None:
    return float(value) if value is not None and abs(value) <= LARGEST else None  # nan is not, either
