"""95 % intervals of a mean and of a difference of two scores; what is over both at once is in seeds_and_images.py.

Over images: what another draw of as many test images could have shown of the *same* trained encoders.
Over seeds: what another training could have shown. Neither says anything about the other.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean, variance

LEVEL = 0.95
SMALLEST_P = 1e-30  # no p-value is below: so far out quantiles are not to be trusted, and no model holds
ROUNDING = 1e-12  # deviations this small beside the values, or beside 1, are none
Interval = tuple[float, float]


def over_seeds(values: Sequence[float], *, level: float = LEVEL) -> Interval | None:
    """Student's t interval of the mean of at least two values; None for fewer, and for values that all agree.

    That seeds agree does not mean that they always will: an interval without width would claim so.

    >>> [round(end, 3) for end in over_seeds([0.6, 0.62, 0.64])]
    [0.57, 0.67]
    """
    from scipy.special import stdtrit  # a tenth of a second to import, and often not needed

    if len(values) < 2 or not (spread := between(values)):
        return None
    reach = float(stdtrit(len(values) - 1, (1 + level) / 2)) * (spread / len(values)) ** 0.5
    return fmean(values) - reach, fmean(values) + reach


def unpaired_over_images(a: float, around_a: Interval, b: float, around_b: Interval) -> Interval:
    """Interval of b - a from the intervals of a and of b, as if their test images had nothing in common.

    The two are added in quadrature, each side by itself (Newcombe 1998, method 10; Zou and Donner 2008), so
    it stays right for the lopsided intervals of an accuracy near 0 or 1.
    """
    low = ((b - around_b[0]) ** 2 + (around_a[1] - a) ** 2) ** 0.5
    high = ((around_b[1] - b) ** 2 + (a - around_a[0]) ** 2) ** 0.5
    return b - a - low, b - a + high


def p_of(value: float, interval: Interval, *, level: float = LEVEL) -> float | None:
    """Two-sided normal p-value of no difference that a difference and its interval imply (Altman and Bland 2011).

    Its reach towards 0 counts, so that p is below 1 - level where the interval excludes 0. At least `SMALLEST_P`;
    None without reach.

    >>> round(p_of(1.0, (0.0, 2.0)), 6)
    0.05
    """
    reach = value - interval[0] if value > 0 else interval[1] - value
    if reach <= 0:
        return None
    z = quantile((1 - level) / 2) * abs(value) / reach
    return max(SMALLEST_P, math.erfc(z / math.sqrt(2)))  # NormalDist's cdf is 0 from 8.3 on


def between(values: Sequence[float]) -> float:
    """Variance between at least two values, with n - 1; 0 where it is rounding.

    >>> between([0.1 + 0.2, 0.3])
    0.0
    """
    spread = variance(values)
    return spread if spread**0.5 > ROUNDING * max(1.0, *map(abs, values)) else 0.0


def quantile(tail: float) -> float:
    """What a standard normal exceeds with probability `tail`.

    >>> round(quantile(0.025), 6)
    1.959964
    """
    return -NormalDist().inv_cdf(tail)


def clipped(interval: Interval | None, low: float, high: float) -> Interval | None:
    """The part of an interval in [low, high]: Student's does not know that a share ends at 1 and a rank begins there.

    >>> clipped((-0.71, 0.98), 0.0, 1.0)
    (0.0, 0.98)
    """
    return interval and (max(low, interval[0]), min(high, interval[1]))
