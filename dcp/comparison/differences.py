"""The difference between two arms in one score: how large, how sure, or why it cannot be said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING

from dcp.comparison.arms import Member
from dcp.comparison.comparable import not_comparable
from dcp.comparison.intervals import (
    Interval,
    clipped,
    difference_over_seeds,
    paired_over_images,
    unpaired_over_images,
)
from dcp.comparison.scores import having, image_interval, is_share, score_of, values_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PAIRED = "paired over test images"
UNPAIRED = "unpaired over test images"
WELCH = "over seeds (Welch)"
ONE_AGAINST_SEEDS = "over seeds (one seed against several)"
TWO_SEEDS = "2 seeds: wide by nature"
NO_SPREAD = "the seeds have the same score to the last digit: no spread to judge by"
# Scores are shares, ranks and ratios, none of a natural size far below 1: smaller differences are rounding.
NEGLIGIBLE = 1e-6


@dataclass(frozen=True)
class Difference:
    """Score of `arm` minus score of `against`.

    Attributes:
        arm: name of the arm.
        against: name of the first arm.
        value: the difference; None if the two cannot be compared.
        interval: its 95 % interval; None if there is none to be had.
        method: what the interval is taken over, and how; "" without one.
        why: why it could not be compared, or not by the sharper method, or not be decided; "" if nothing
            stood in the way.
        firm: whether the interval may decide; with two seeds, or without spread between seeds, it may not.
    """

    arm: str
    against: str
    value: float | None = None
    interval: Interval | None = None
    method: str = ""
    why: str = ""
    firm: bool = True

    @property
    def verdict(self) -> str:
        """One of "higher", "lower", and "undecided", where the interval holds 0, may not decide, or is missing."""
        if not self.firm or self.interval is None or self.interval[0] <= 0 <= self.interval[1]:
            return "undecided"
        return "higher" if self.interval[0] > 0 else "lower"

    @property
    def nothing(self) -> bool:
        """Whether there is no difference at all, nor room for one."""
        return self.value == 0 and not any(self.interval or ())


def difference(arms: Mapping[str, Sequence[Member]], arm: str, against: str, evaluation: str, score: str) -> Difference:
    """Compare two arms in one score, over seeds where there are several, else over test images.

    Args:
        arms: members by name of arm.
        arm: the one that is subtracted from.
        against: the one that is subtracted.
        evaluation: e.g. "linear".
        score: e.g. "top1".
    """
    first, second = (having(arms[name], evaluation, score) for name in (against, arm))
    missing = [name for name, members in ((against, first), (arm, second)) if not members]
    why = f"no {evaluation} {_what(arms, missing, evaluation)} in {' and '.join(missing)}" if missing else ""
    if why := why or not_comparable(first, second, evaluation):
        return Difference(arm, against, why=why)
    a, b = values_of(first, evaluation, score), values_of(second, evaluation, score)
    found = Difference(arm, against, fmean(b) - fmean(a))
    if max(len(a), len(b)) > 1:
        found = _over_seeds(found, a, b)
    else:
        found = _over_images(found, first[0], second[0], evaluation, score)
    if is_share(score):
        found = replace(found, interval=clipped(found.interval, -1.0, 1.0))
    return _without_rounding(found, max(1.0, *map(abs, (*a, *b))))


def _what(arms: Mapping[str, Sequence[Member]], missing: list[str], evaluation: str) -> str:
    """Whether it is the probe that is missing, or this score in it: not every predictor has a matrix."""
    probed = any(evaluation in one.probes for name in missing for one in arms[name])
    return "score of this name" if probed else "probe"


def _over_seeds(found: Difference, a: Sequence[float], b: Sequence[float]) -> Difference:
    interval = difference_over_seeds(a, b)
    method = WELCH if min(len(a), len(b)) > 1 else ONE_AGAINST_SEEDS
    why = TWO_SEEDS if 2 in (len(a), len(b)) else ""
    if interval is not None and interval[0] == interval[1]:
        why = NO_SPREAD
    return replace(found, interval=interval, method=method, why=why, firm=not why)


def _over_images(found: Difference, a: Member, b: Member, evaluation: str, score: str) -> Difference:
    right_a, right_b = _right(a, evaluation, score), _right(b, evaluation, score)
    if right_a is None or right_b is None:
        why = "not paired: no predictions per image for this score"
    elif (right_a[1] != right_b[1]).any():
        why = "not paired: by their labels, the test images are others or in another order"
    else:
        return replace(found, interval=paired_over_images(right_a[0], right_b[0]), method=PAIRED)
    (value_a, around_a), (value_b, around_b) = (
        (score_of(one.probes[evaluation], score), image_interval(one.probes[evaluation], score)) for one in (a, b)
    )
    if value_a is None or value_b is None or around_a is None or around_b is None:
        return replace(found, why="no interval: one seed each, and none over test images")
    interval = unpaired_over_images(value_a, around_a, value_b, around_b)
    return replace(found, interval=interval, method=UNPAIRED, why=why)


def _right(one: Member, evaluation: str, score: str) -> "tuple[NDArray[np.bool_], NDArray[np.int64]] | None":
    """Which test images came out right, and their labels; None if the score is not the share of them."""
    arrays = one.run.predictions(evaluation) or {}
    probe = one.probes[evaluation]
    if not {"prediction", "label"} <= arrays.keys() or len(arrays["label"]) != probe.get("n"):
        return None
    right = arrays["prediction"] == arrays["label"]
    value = score_of(probe, score)
    share = value is not None and abs(float(right.mean()) - value) < 0.5 / len(right)
    return (right, arrays["label"]) if share else None


def _without_rounding(found: Difference, size: float) -> Difference:
    """The same with 0 for what is rounding beside scores of this size."""
    ends = (found.value, *(found.interval or ()))
    if any(end is None or abs(end) > NEGLIGIBLE * size for end in ends):
        return found
    return replace(found, value=0.0, interval=found.interval and (0.0, 0.0))
