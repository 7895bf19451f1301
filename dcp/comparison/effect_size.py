"""How large a difference is beside the spread of seeds, and how many seeds it would take to see it."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean

from dcp.comparison.intervals import ROUNDING, quantile
from dcp.comparison.seeds_and_images import Estimate, Part, spreads

POWER = 0.8
ALPHA = 0.05
MOST_SEEDS = 1000
MORE_IMAGES = "it takes more test images"
HEDGES = "Hedges' g"
HEDGES_PAIRED = "Hedges' g of the paired differences"
HEDGES_ONE = "Hedges' g, with the spread of the arm that has several seeds"


def hedges(a: Sequence[float], b: Sequence[float], *, paired: bool = False) -> tuple[float | None, str]:
    """Hedges' (1981) g: the difference of means in standard deviations between seeds, and which those are.

    Pooled over both arms; if the seeds are paired, of the differences seed by seed. The factor
    J(m) = Γ(m/2) / (√(m/2) Γ((m-1)/2)) takes off what few seeds add, m the degrees of freedom of the deviation.

    Returns:
        g, and what it is in words; (None, "") without a spread, or with m = 1, for which J is 0.
    """
    known = spreads(a, b, paired=paired)
    m = sum(df for _, df in known)
    spread = known[0].variance if len(known) == 1 else sum(df * variance for variance, df in known) / m
    if m <= 1 or spread <= 0:
        return None, ""
    kind = HEDGES_PAIRED if paired else HEDGES_ONE if len(known) == 1 else HEDGES
    return small_sample(m) * (fmean(b) - fmean(a)) / math.sqrt(spread), kind


def small_sample(m: float) -> float:
    """Hedges' factor J for m > 1 degrees of freedom.

    >>> round(small_sample(4), 4), round(small_sample(18), 4)
    (0.7979, 0.9576)
    """
    return math.exp(math.lgamma(m / 2) - math.lgamma((m - 1) / 2)) / math.sqrt(m / 2)


@dataclass(frozen=True)
class Plan:
    """What a later comparison would start from, if difference and spread are as observed."""

    value: float  # the difference
    spreads: tuple[float, ...]  # variance between single seeds: of their differences if paired, else of each arm
    images: Part  # the variance of the difference that comes from the test images, which stay the same
    seeds: int  # that the spread was read from, at most

    def needed(self) -> tuple[int | None, str]:
        """Seeds an arm for a power of 80 % at 5 % two-sided; or None, and why there is no such number."""
        if self.seeds < 3:
            return None, "2 seeds do not say how much seeds vary"
        if abs(self.value) < ROUNDING or not any(self.spreads):
            return None, "no difference, or no spread, to plan with"
        if self.power(MOST_SEEDS) < POWER:
            return None, f"more than {MOST_SEEDS:,}" if self.without_spread() >= POWER else MORE_IMAGES
        least = 3  # no verdict rests on 2
        return least + bisect_left(range(least, MOST_SEEDS), True, key=lambda seeds: self.power(seeds) >= POWER), ""

    def power(self, seeds: int) -> float:
        """Chance that so many seeds an arm, at least 3, show the difference; by the noncentral t distribution."""
        from scipy.special import nctdtr

        parts = tuple(Part(spread / seeds, seeds - 1) for spread in self.spreads)
        later = Estimate(self.value, parts, self.images)
        shift, reach = abs(self.value) / later.variance**0.5, later.quantile(ALPHA / 2)
        if shift > reach + 10:
            return 1.0
        # scipy has no number for the far side from a shift of 9 on, where it is nothing any more
        wrong_side = float(nctdtr(later.df, shift, -reach)) if shift < 8 else 0.0
        return 1 - float(nctdtr(later.df, shift, reach)) + wrong_side

    def without_spread(self) -> float:
        """The same for seeds without number: only the test images are left to blur the difference."""
        if not self.images.variance:
            return 1.0
        return NormalDist().cdf(abs(self.value) / self.images.variance**0.5 - quantile(ALPHA / 2))


def plan(a: Sequence[float], b: Sequence[float], difference: Estimate, *, paired: bool = False) -> Plan:
    """The plan that follows from the difference of two arms with these scores of their seeds."""
    known = [variance for variance, _ in spreads(a, b, paired=paired)]
    # a single seed is taken to vary as those of the other arm do
    each = known if paired else [known[0], known[-1]]
    return Plan(difference.value, tuple(each), difference.images, max(len(a), len(b)))
