"""Scores as probes hold them, and between which values each can lie."""

import math
from collections.abc import Iterable, Sequence

from dcp.comparison.arms import Member
from dcp.comparison.intervals import Interval
from dcp.runs.records import ProbeRecord, Scored, is_share

RIGHT = ("top1", "accuracy")  # the shares of test images whose prediction is their label
LARGEST = 1e60  # what is larger is no measurement, and its fourth power, in degrees of freedom, overflows
NO_PROBE = ProbeRecord()
# Ranks, which lie between 1 and the number of dimensions, by the list in `extra` that has a number for each dimension.
RANKS = {
    "rankme": "feature_covariance_eigenvalues",
    "stable_rank": "feature_covariance_eigenvalues",
    "nesum": "feature_covariance_eigenvalues",
    "participation_ratio": "feature_covariance_eigenvalues",
    "lidar": "feature_covariance_eigenvalues",
    "F_effective_rank": "F_eigenvalues",
    "projection_lidar": "F_eigenvalues",
}
RANGES: dict[str, Interval] = {
    "normalized_std": (0.0, 1.0),
    "powerlaw_alpha": (0.0, math.inf),
    "W_asymmetry": (0.0, 1.0),
    "commutator": (0.0, 1.0),
    "alignment": (0.0, 1.0),
    "view_alignment": (0.0, 4.0),
    "projection_view_alignment": (0.0, 4.0),
    "uniformity": (-8.0, 0.0),
    "projection_uniformity": (-8.0, 0.0),
    "nmi": (0.0, 1.0),
    "ari": (-0.5, 1.0),
    "map": (0.0, 1.0),
}


def is_by_layer(evaluation: str) -> bool:
    """Whether its scores are of layers: they say where classes can be told apart, and judge no run.

    >>> is_by_layer("layers@cifar100"), is_by_layer("linear")
    (True, False)
    """
    return evaluation.partition("@")[0] == "layers"


def in_order(probe: ProbeRecord) -> list[str]:
    """Names of the scores of a probe; those of layers from the input on, whatever order the file has."""
    layers = probe.extra.get("layers")
    if not isinstance(layers, list):
        return [*probe.score]
    place = {str(name): i for i, name in enumerate(layers)}
    return sorted(probe.score, key=lambda score: place.get(score.rpartition(".")[0], len(place)))


def score_of(probe: Scored, score: str) -> float | None:
    """The value of a score in a probe, if it is there and is a plausible number."""
    return _plausible(probe.score.get(score))


def image_interval(probe: Scored, score: str) -> Interval | None:
    """The interval over test images that a probe gives for a score, if there is one."""
    low, high = map(_plausible, probe.interval.get(score) or (None, None))
    return None if low is None or high is None else (low, high)


def range_of(score: str, probes: Iterable[ProbeRecord]) -> Interval:
    """The least and the largest value that a score can have in these probes; of an unknown score, any value."""
    if score in RANKS:
        lists = [probe.extra.get(RANKS[score]) for probe in probes]
        return 1.0, max((float(len(each)) for each in lists if isinstance(each, list) and each), default=math.inf)
    if is_share(score) or score.startswith("precision_at_"):
        return 0.0, 1.0
    return RANGES.get(score, (-math.inf, math.inf))


def having(members: Sequence[Member], evaluation: str, score: str) -> list[Member]:
    """Those of `members` whose probe has the score."""
    return [member for member in members if score_of(member.probes.get(evaluation, NO_PROBE), score) is not None]


def values_of(members: Sequence[Member], evaluation: str, score: str) -> list[float]:
    """The score of each of `members` that has it."""
    values = [score_of(member.probes.get(evaluation, NO_PROBE), score) for member in members]
    return [value for value in values if value is not None]


def _plausible(value: float | None) -> float | None:
    return float(value) if value is not None and abs(value) <= LARGEST else None  # nan is not, either
