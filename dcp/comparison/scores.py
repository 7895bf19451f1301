"""Scores as probes hold them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dcp.comparison.arms import Member
from dcp.comparison.intervals import Interval


def is_share(score: str) -> bool:
    """Whether a score is a share of the test images: it lies in [0, 1] and is shown in percent.

    >>> is_share("top1"), is_share("rankme")
    (True, False)
    """
    return score.startswith("top") or "accuracy" in score


def score_of(probe: Mapping[str, Any], score: str) -> float | None:
    """The value of a score in a probe, if it is there and is a finite number."""
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
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if number and math.isfinite(value) else None  # type: ignore[arg-type]
