"""Two single encoders on the same test images: who is right where the other is wrong.

    only_a, only_b   images that only one of them has right;   D = (only_b - only_a) / n

The test is McNemar's (1947), exact: under no difference only_b is binomial with probability 1/2 among those images.
The interval is Tango's (1998): the values of the difference that a score test does not reject. At 0 that score is
McNemar's z, and unlike the normal interval it has a width when both are right on the same images.
"""

import math
from typing import TYPE_CHECKING, NamedTuple

from dcp.comparison.intervals import LEVEL, SMALLEST_P, Interval, quantile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class McNemar(NamedTuple):
    """Counts of test images."""

    only_a: int  # that only the first encoder has right
    only_b: int  # that only the second has right
    n: int  # all

    @classmethod
    def of(cls, a: "NDArray[np.bool_]", b: "NDArray[np.bool_]") -> "McNemar":
        """Count what two encoders have right, [n] each, image by image.

        >>> import numpy as np
        >>> McNemar.of(np.array([True, True, False]), np.array([True, False, False]))
        McNemar(only_a=1, only_b=0, n=3)
        """
        return cls(int((a & ~b).sum()), int((b & ~a).sum()), len(a))

    @property
    def value(self) -> float:
        """The difference, second minus first."""
        return (self.only_b - self.only_a) / self.n

    @property
    def p(self) -> float:
        """McNemar's exact two-sided p-value, at least `SMALLEST_P`; 1 where both are right on the same images."""
        from scipy.special import bdtr  # scipy.stats has it as binomtest, but takes seconds to import

        discordant = self.only_a + self.only_b
        tail = float(bdtr(min(self.only_a, self.only_b), discordant, 0.5)) if discordant else 1.0
        return min(1.0, max(SMALLEST_P, 2 * tail))

    def score(self, difference: float) -> float:
        """Score statistic of a true `difference` in (-1, 1), standard normal if it is true (Tango 1998).

        Its variance is that of the most likely proportions with this difference: the larger root of the
        likelihood's equation 2 n q² + B q - only_a d (1 - d) = 0 for q, the share that only the first has right.
        """
        a, b, n, d = self.only_a, self.only_b, self.n, difference
        middle = -a - b + (2 * n - b + a) * d
        q = (max(0.0, middle**2 + 8 * n * a * d * (1 - d)) ** 0.5 - middle) / (4 * n)
        variance = n * (2 * q + d * (1 - d))
        return (b - a - n * d) / math.sqrt(max(variance, 1e-300))  # 0 where both are always right together and d = 0

    def interval(self, level: float = LEVEL) -> Interval:
        """Tango's interval of the difference, inside of [-1, 1]."""
        z = quantile((1 - level) / 2)
        return self._end(-1.0, z), self._end(1.0, -z)

    def _end(self, outermost: float, z: float) -> float:
        """Where the score is z, between the value and the outermost one that a difference can have."""
        from scipy.optimize import brentq

        if self.value == outermost:
            return outermost
        low, high = sorted((self.value, outermost * (1 - 1e-12)))
        return float(brentq(lambda d: self.score(d) - z, low, high, xtol=1e-14))
