"""Scores as probes hold them."""

from collections.abc import Mapping, Sequence
from typing import Any

from dcp.comparison.arms import Member
from dcp.comparison.intervals import Interval

RIGHT = ("top1", "accuracy")  # the shares of test images whose prediction is their label
LARGEST = 1e60  # what is larger is no measurement, and its fourth power, in degrees of freedom, overflows


def is_share(score: str) -> bool:
    """Whether a score is a share of the test images: it lies in [0, 1] and is shown in percent.

    >>> is_share("top1"), is_share("rankme")
    (True, False)
    """
    return score.startswith("top") or "accuracy" in score


def score_of(probe: Mapping[str, Any], score: str) -> float | None:
    """The value of a score in a probe, if it is there and is a plausible number."""
    return _number((probe.get("score") or {}).get(score))


def image_interval(probe: Mapping[str, Any], score: str) -> Interval | None:
    """The interval over test images that a probe gives for a score, if there is one."""
    low, high = map(_number, (probe.get("interval") or {}).get(score) or (None, None))
    return None if low is None or high is None else (low, high)


def having(members: Sequence[Member], evaluation: str, score: str) -> list[Member]:
    """Those of `members` whose probe has the score."""
    return [one for one in members if score_of(one.probes.get(evaluation, {}), score) is not None]


def values_of(members: Sequence[Member], evaluation: str, score: str) -> list[float]:
    """The score of each of `members` that has it."""
    found = [score_of(one.probes.get(evaluation, {}), score) for one in members]
    return [value for value in found if value is not None]


def _number(value: object) -> float | None:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return float(value) if abs(value) <= LARGEST else None  # nan is not, either
