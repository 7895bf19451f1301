"""95 % intervals of a mean and of a difference, over test images or over seeds.

Over images: what another draw of as many test images could have shown of the *same* trained encoders.
Over seeds: what another training could have shown. Neither says anything about the other.
"""

from collections.abc import Sequence
from statistics import NormalDist, fmean, variance

import numpy as np
from numpy.typing import ArrayLike

LEVEL = 0.95
Interval = tuple[float, float]


def over_seeds(values: Sequence[float], *, level: float = LEVEL) -> Interval | None:
    """Student's t interval of the mean of at least two values; None for fewer.

    >>> [round(end, 3) for end in over_seeds([0.6, 0.62, 0.64])]
    [0.57, 0.67]
    """
    if len(values) < 2:
        return None
    spread = variance(values) / len(values)
    return _around(fmean(values), spread, len(values) - 1, level)


def difference_over_seeds(a: Sequence[float], b: Sequence[float], *, level: float = LEVEL) -> Interval | None:
    """Student's interval of mean(b) - mean(a); None unless one of them has two values.

    With two or more values each it is Welch's (1947), which lets the two vary differently. A single value is
    taken to vary as those of the other do: Student's, with the variance of the many.
    """
    if len(a) < 2 and len(b) < 2:
        return None
    middle = fmean(b) - fmean(a)
    if min(len(a), len(b)) == 1:
        many = a if len(a) > 1 else b
        return _around(middle, variance(many) * (1 + 1 / len(many)), len(many) - 1, level)
    parts = [(variance(values) / len(values), len(values) - 1) for values in (a, b)]
    spread = sum(part for part, _ in parts)
    below = sum(part**2 / df for part, df in parts)
    return _around(middle, spread, spread**2 / below if below else 1.0, level)


def paired_over_images(a: ArrayLike, b: ArrayLike, *, level: float = LEVEL) -> Interval:
    """Normal interval of mean(b - a), where a_i and b_i belong to the same test image.

    Args:
        a: [n] whether the first encoder was right, or any other value an image.
        b: [n] the same of the second, image by image.
        level: coverage aimed at, in (0, 1).
    """
    change = np.asarray(b, dtype=np.float64) - np.asarray(a, dtype=np.float64)
    reach = _z(level) * float(change.std(ddof=1)) / len(change) ** 0.5 if len(change) > 1 else float("inf")
    return float(change.mean()) - reach, float(change.mean()) + reach


def unpaired_over_images(a: float, around_a: Interval, b: float, around_b: Interval) -> Interval:
    """Interval of b - a from the intervals of a and of b, as if their test images had nothing in common.

    The two are added in quadrature, each side by itself (Newcombe 1998, method 10; Zou and Donner 2008), so
    it stays right for the lopsided intervals of an accuracy near 0 or 1.
    """
    low = ((b - around_b[0]) ** 2 + (around_a[1] - a) ** 2) ** 0.5
    high = ((around_b[1] - b) ** 2 + (a - around_a[0]) ** 2) ** 0.5
    return b - a - low, b - a + high


def clipped(interval: Interval | None, low: float, high: float) -> Interval | None:
    """The part of an interval in [low, high]: Student's does not know that a share ends at 1.

    >>> clipped((-0.71, 0.98), 0.0, 1.0)
    (0.0, 0.98)
    """
    return interval and (max(low, interval[0]), min(high, interval[1]))


def _around(middle: float, spread: float, df: float, level: float) -> Interval:
    from scipy.special import stdtrit  # a tenth of a second to import, and often not needed

    reach = float(stdtrit(df, (1 + level) / 2)) * spread**0.5
    return middle - reach, middle + reach


def _z(level: float) -> float:
    return NormalDist().inv_cdf((1 + level) / 2)
