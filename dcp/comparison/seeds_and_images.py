"""A difference between two arms over seeds, or over seeds and test images: its value, its variance, how sure it is.

Seed s of arm a answers test image i right or wrong, y_{asi}. Seeds and images are drawn at random and crossed, as
readers and cases are in radiology, and the method is theirs (Obuchowski and Rockette 1995; Hillis 2007):

    value     D = mean(y_b) - mean(y_a)
    variance  V = V_seeds + V_images,   V_images = max(0, var_i(d_i) / n - MS_residual terms)

where d_i is the difference at image i, averaged over seeds. V_seeds is Student's (seeds paired: of D_s, with S - 1
degrees of freedom) or Welch's (1947; of each arm by itself). The variance of the images' means holds the residual
(seed by image) that V_seeds holds already, so it is taken off once. Without images V_images is 0, and what is left is
the paired t test or Welch's.

The reach of the interval is c √V. With two arms' variances, c is Student's t at Satterthwaite's (1946) degrees of
freedom. With a single variance between seeds, those are too many at 3 seeds (V_seeds that came out small makes the
images weigh more), and c is Cochran and Cox's (1950) mean of both t quantiles, weighted by V_seeds and V_images. The
p-value is the level at which the interval ends at 0, so that both say the same. How often both are right is simulated
in tests/comparison; docs/dev/comparing.md has the table.

Shapes: S seeds, n test images. Of two arms or encoders, `a` is the one that is subtracted. `paired` says that value or
row s of both belongs to the same seed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from dcp.comparison.intervals import LEVEL, SMALLEST_P, Interval, between

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Values = NDArray[np.bool_] | NDArray[np.float64]


class Part(NamedTuple):
    """A part of the variance of a difference, and the degrees of freedom it is known with."""

    variance: float
    df: float


NO_IMAGES = Part(0.0, math.inf)  # where the test images are taken as given


@dataclass(frozen=True)
class Estimate:
    """A difference and what its variance is made of."""

    value: float  # the difference
    # of the variance, what comes from seeds: one part if they are paired or only one arm has several, else one an arm
    seeds: tuple[Part, ...]
    images: Part = NO_IMAGES  # what comes from test images

    @property
    def variance(self) -> float:
        """Of the value."""
        return math.fsum(part.variance for part in (*self.seeds, self.images))

    @property
    def spread(self) -> bool:
        """Whether the seeds differ at all."""
        return any(part.variance > 0 for part in self.seeds)

    @property
    def df(self) -> float:
        """Satterthwaite's degrees of freedom."""
        parts = [part for part in (*self.seeds, self.images) if part.variance > 0]
        return self.variance**2 / sum(v**2 / df for v, df in parts) if parts else 1.0

    def interval(self, level: float = LEVEL) -> Interval:
        """Interval that holds the difference with probability `level`."""
        reach = self.quantile((1 - level) / 2) * self.variance**0.5
        return self.value - reach, self.value + reach

    def quantile(self, tail: float) -> float:
        """What |D - truth| / √V exceeds to one side with probability `tail`."""
        from scipy.special import stdtrit  # a tenth of a second to import, and often not needed

        if len(self.seeds) > 1 or not self.images.variance:
            return -float(stdtrit(self.df, tail))
        (part,) = self.seeds
        share = part.variance / self.variance
        return -float(share * stdtrit(part.df, tail) + (1 - share) * stdtrit(self.images.df, tail))

    @property
    def p(self) -> float | None:
        """Two-sided p-value of no difference; None if the seeds do not differ: there is nothing to judge by."""
        from scipy.special import stdtr

        if not self.spread:
            return None
        t: float = abs(self.value) / self.variance**0.5
        if len(self.seeds) > 1 or not self.images.variance:
            return max(SMALLEST_P, 2 * float(stdtr(self.df, -t)))
        from scipy.optimize import brentq  # Cochran and Cox's quantile has no closed inverse

        def off(log_p: float) -> float:
            return self.quantile(math.exp(log_p) / 2) - t

        least = math.log(SMALLEST_P)
        if t == 0 or off(least) <= 0:
            return 1.0 if t == 0 else SMALLEST_P
        return math.exp(brentq(off, least, 0.0, xtol=1e-12))


def over_seeds(a: Sequence[float], b: Sequence[float], *, paired: bool = False) -> Estimate:
    """Difference of means over seeds, of which one arm at least has several.

    Paired, it is Student's paired t; else Welch's. A single value is taken to vary as those of the other arm do.
    """
    return Estimate(fmean(b) - fmean(a), _seed_parts(a, b, paired))


def over_seeds_and_images(a: "Values", b: "Values", *, paired: bool = False) -> Estimate | None:
    """Difference of the shares of right answers, or of means, over seeds, several in one arm at least, and images.

    None for a single image. `a` [S_a, n] and `b` [S_b, n] say of the same images which answers are right, or hold a
    value of each.
    """
    import numpy as np

    n = a.shape[1]
    if n < 2:
        return None
    change = b.mean(axis=0) - a.mean(axis=0)
    several = [rows for rows in ([np.subtract(b, a, dtype=np.float64)] if paired else [a, b]) if len(rows) > 1]
    # of a single seed the residual is not known: it is taken to be that of the arm with several
    weights = [1 / len(rows) + float(len(several) == 1 and not paired) for rows in several]
    twice = math.fsum(_residual(rows) * weight for rows, weight in zip(several, weights, strict=True)) / n
    images = max(0.0, float(change.var(ddof=1)) / n - twice)
    seeds = _seed_parts(a.mean(axis=1).tolist(), b.mean(axis=1).tolist(), paired)
    return Estimate(float(change.mean()), seeds, Part(images, n - 1))


def over_images(a: "NDArray[np.float64]", b: "NDArray[np.float64]") -> Estimate:
    """Difference of means of two single encoders over the same n >= 2 test images [n]: Student's paired t."""
    change = b - a
    return Estimate(float(change.mean()), (Part(float(change.var(ddof=1)) / len(change), len(change) - 1),))


def spreads(a: Sequence[float], b: Sequence[float], *, paired: bool) -> tuple[Part, ...]:
    """Variance between single seeds: of their differences if paired, else of each arm that has several."""
    if paired:
        return (Part(between([y - x for x, y in zip(a, b, strict=True)]), len(a) - 1),)
    return tuple(Part(between(values), len(values) - 1) for values in (a, b) if len(values) > 1)


def _seed_parts(a: Sequence[float], b: Sequence[float], paired: bool) -> tuple[Part, ...]:
    alone = min(len(a), len(b)) == 1  # and taken to vary as the seeds of the other arm do
    known = spreads(a, b, paired=paired)
    return tuple(Part(spread * (1 + 1 / (df + 1)) if alone else spread / (df + 1), df) for spread, df in known)


def _residual(rows: "NDArray[np.generic]") -> float:
    """Mean square of seed by image in [S, n] answers: what neither the seed nor the image explains."""
    import numpy as np

    y = np.asarray(rows, dtype=np.float64)
    rest = y - y.mean(axis=0) - y.mean(axis=1, keepdims=True) + y.mean()
    df: int = (y.shape[0] - 1) * (y.shape[1] - 1)
    return float((rest**2).sum()) / df
