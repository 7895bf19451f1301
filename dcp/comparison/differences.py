"""The difference between two arms in one score: how large, how sure, or why it cannot be said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from dcp.comparison.arms import Member
from dcp.comparison.intervals import Interval, difference_over_seeds, paired_over_images, unpaired_over_images

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PAIRED = "paired over test images"
UNPAIRED = "unpaired over test images"
WELCH = "over seeds (Welch)"
ONE_AGAINST_SEEDS = "over seeds (one seed against several)"


@dataclass(frozen=True)
class Difference:
    """Score of `arm` minus score of `against`.

    Attributes:
        arm: name of the arm.
        against: name of the first arm.
        value: the difference; None if the two cannot be compared.
        interval: its 95 % interval; None if there is none to be had.
        method: what the interval is taken over, and how; "" without one.
        why: why it could not be compared, or not by the sharper method; "" if nothing stood in the way.
    """

    arm: str
    against: str
    value: float | None = None
    interval: Interval | None = None
    method: str = ""
    why: str = ""

    @property
    def verdict(self) -> str:
        """One of "higher", "lower", and "undecided", where the interval holds 0 or there is none."""
        if self.interval is None or self.interval[0] <= 0 <= self.interval[1]:
            return "undecided"
        return "higher" if self.interval[0] > 0 else "lower"


def score_of(probe: Mapping[str, Any], score: str) -> float | None:
    """The value of a score in a probe, if it is there and is a number."""
    return _number((probe.get("score") or {}).get(score))


def image_interval(probe: Mapping[str, Any], score: str) -> Interval | None:
    """The interval over test images that a probe gives for a score, if there is one."""
    low, high = map(_number, (probe.get("interval") or {}).get(score) or (None, None))
    return None if low is None or high is None else (low, high)


def having(members: Sequence[Member], evaluation: str, score: str) -> list[Member]:
    """Those of `members` whose probe has the score."""
    return [one for one in members if score_of(one.probes.get(evaluation, {}), score) is not None]


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
    why = why or _not_comparable(first, second, evaluation)
    if why:
        return Difference(arm, against, why=why)
    a, b = _values(first, evaluation, score), _values(second, evaluation, score)
    value, interval = fmean(b) - fmean(a), difference_over_seeds(a, b)
    if interval is not None:
        method = WELCH if min(len(a), len(b)) > 1 else ONE_AGAINST_SEEDS
        return Difference(arm, against, value, interval, method)
    return Difference(arm, against, value, *_over_images(first[0], second[0], evaluation, score))


def _what(arms: Mapping[str, Sequence[Member]], missing: list[str], evaluation: str) -> str:
    """Whether it is the probe that is missing, or this score in it: not every predictor has a matrix."""
    probed = any(evaluation in one.probes for name in missing for one in arms[name])
    return "score of this name" if probed else "probe"


def _not_comparable(a: Sequence[Member], b: Sequence[Member], evaluation: str) -> str:
    probes = [one.probes[evaluation] for one in (*a, *b)]
    if len({probe.get("n") for probe in probes}) > 1:
        return f"tested on {_against(probes, 'n')} images"
    settings = [probe.get("settings") or {} for probe in probes]
    differing = sorted({key for one in settings for key in one if len({repr(s.get(key)) for s in settings}) > 1})
    if differing:
        return "measured differently: " + ", ".join(f"{key} {_against(settings, key)}" for key in differing)
    return data_differ(a[0], b[0])


def data_differ(a: Member, b: Member) -> str:
    """Why two runs are not of the same data set; "" if they are, or are different amounts of it."""
    sources = [one.settings.get("data.source") for one in (a, b)]
    if sources[0] != sources[1]:
        return f"different data: {sources[0]} and {sources[1]}"
    asked = [{k: v for k, v in one.asked.items() if k.startswith("data.")} for one in (a, b)]
    found = [(one.run.record.get("data") or {}).get("fingerprint") for one in (a, b)]
    if asked[0] == asked[1] and None not in found and found[0] != found[1]:
        return f"different files under the same data settings: fingerprints {found[0]} and {found[1]}"
    return ""


def _over_images(a: Member, b: Member, evaluation: str, score: str) -> tuple[Interval | None, str, str]:
    """Interval, method, and what stood in the way of pairing."""
    right_a, right_b = _right(a, evaluation, score), _right(b, evaluation, score)
    if right_a is None or right_b is None:
        why = "not paired: no predictions per image for this score"
    elif (right_a[1] != right_b[1]).any():
        why = "not paired: by their labels, the test images are others or in another order"
    else:
        return paired_over_images(right_a[0], right_b[0]), PAIRED, ""
    (value_a, around_a), (value_b, around_b) = (
        (score_of(one.probes[evaluation], score), image_interval(one.probes[evaluation], score)) for one in (a, b)
    )
    if value_a is None or value_b is None or around_a is None or around_b is None:
        return None, "", "no interval: one seed each, and none over test images"
    return unpaired_over_images(value_a, around_a, value_b, around_b), UNPAIRED, why


def _right(one: Member, evaluation: str, score: str) -> "tuple[NDArray[np.bool_], NDArray[np.int64]] | None":
    """Which test images came out right, and their labels; None if the score is not the share of them."""
    arrays = one.run.predictions(evaluation) or {}
    probe = one.probes[evaluation]
    if not {"prediction", "label"} <= arrays.keys() or len(arrays["label"]) != probe.get("n"):
        return None
    right = arrays["prediction"] == arrays["label"]
    value = score_of(probe, score)
    is_share = value is not None and abs(float(right.mean()) - value) < 0.5 / len(right)
    return (right, arrays["label"]) if is_share else None


def _values(members: Sequence[Member], evaluation: str, score: str) -> list[float]:
    values = [score_of(one.probes[evaluation], score) for one in members]
    return [value for value in values if value is not None]


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _against(tables: Sequence[Mapping[str, Any]], key: str) -> str:
    return " and ".join(dict.fromkeys(str(table.get(key, "none")) for table in tables))
