"""Arms drawn from a known distribution, to see how often the tests reject and the intervals hold the truth.

    y_{asi} = 1 if  m_a + difficulty_i + taste_{ai} + seed_{as} + chance_{asi} > 0

with normal terms: images are easy or hard for both arms (difficulty) and for one of them (taste); a seed makes all
answers of an arm a little better or worse, and some answers other ones (chance: seed by image). Paired seeds share a
part of the last two with the same seed of the other arm. The true share of right answers over all seeds and all
images is Φ(m_a / √(sum of the variances)).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from dcp.comparison.compare import ArmScore
from dcp.comparison.intervals import Interval
from dcp.comparison.intervals import over_seeds as over_seeds_of_one
from dcp.comparison.mcnemar import McNemar
from dcp.comparison.seeds_and_images import over_seeds, over_seeds_and_images

Answers = tuple[np.ndarray, np.ndarray]  # [S_a, n] and [S_b, n], bool


@dataclass(frozen=True)
class World:
    """Where arms come from; standard deviations on the scale of the latent sum.

    Defaults give accuracies near 64 %, with 1.4 points between seeds.
    """

    seeds: tuple[int, int] = (5, 5)
    n: int = 1000
    m: tuple[float, float] = (0.6, 0.6)
    difficulty: float = 1.5
    taste: float = 0.3
    seed: float = 0.05
    chance: float = 0.7
    shared: float = 0.0  # share of the seeds' variance that the same seed of both arms has in common

    @property
    def truth(self) -> float:
        deviation = (self.difficulty**2 + self.taste**2 + self.seed**2 + self.chance**2) ** 0.5
        return float(stats.norm.cdf(self.m[1] / deviation) - stats.norm.cdf(self.m[0] / deviation))

    def draw(self, rng: np.random.Generator) -> Answers:
        difficulty = self.difficulty * self._normal(rng, 1, self.n)
        most = max(self.seeds)
        common = self.seed * self._normal(rng, most, 1) + self.chance * self._normal(rng, most, self.n)
        first, second = (self._arm(rng, arm, difficulty, common) for arm in range(2))
        return first, second

    def _arm(self, rng: np.random.Generator, arm: int, difficulty: np.ndarray, common: np.ndarray) -> np.ndarray:
        rows = self.seeds[arm]
        own = self.seed * self._normal(rng, rows, 1) + self.chance * self._normal(rng, rows, self.n)
        seeds = self.shared**0.5 * common[:rows] + (1 - self.shared) ** 0.5 * own
        return self.m[arm] + difficulty + self.taste * self._normal(rng, 1, self.n) + seeds > 0

    def _normal(self, rng: np.random.Generator, *shape: int) -> np.ndarray:
        return rng.standard_normal(shape, dtype=np.float32)


class Rates(NamedTuple):
    """Shares of drawn pairs of arms."""

    rejected: float
    covered: float


Judge = Callable[[np.ndarray, np.ndarray], tuple[Interval, float]]


def over_both(paired: bool) -> Judge:
    def judge(a: np.ndarray, b: np.ndarray) -> tuple[Interval, float]:
        found = over_seeds_and_images(a, b, paired=paired)
        assert found is not None
        return found.interval(), 1.0 if found.p is None else found.p

    return judge


def over_seeds_alone(paired: bool) -> Judge:
    def judge(a: np.ndarray, b: np.ndarray) -> tuple[Interval, float]:
        found = over_seeds(a.mean(axis=1).tolist(), b.mean(axis=1).tolist(), paired=paired)
        return found.interval(), 1.0 if found.p is None else found.p

    return judge


def single(a: np.ndarray, b: np.ndarray) -> tuple[Interval, float]:
    found = McNemar.of(a[0], b[0])
    return found.interval(), found.p


def bootstrap(paired: bool, draws: int = 200) -> Judge:
    """The hierarchical bootstrap by percentiles: seeds drawn again, of each arm or in pairs, and images for all."""
    again = np.random.default_rng(1)

    def judge(a: np.ndarray, b: np.ndarray) -> tuple[Interval, float]:
        weights_a = again.multinomial(len(a), np.full(len(a), 1 / len(a)), size=draws) / len(a)
        weights_b = again.multinomial(len(b), np.full(len(b), 1 / len(b)), size=draws) / len(b)
        n = a.shape[1]
        images = again.multinomial(n, np.full(n, 1 / n), size=draws) / n
        change = (weights_a if paired else weights_b) @ b.astype(float) - weights_a @ a.astype(float)
        values = (change * images).sum(axis=1)
        below = (values <= 0).mean()
        return tuple(np.quantile(values, [0.025, 0.975])), float(2 * min(below, 1 - below))

    return judge


def rates(world: World, judge: Judge, pairs: int = 500, seed: int = 0) -> Rates:
    """How often `judge` finds p <= 0.05, and how often its interval holds the truth, of so many pairs of arms."""
    rng, truth = np.random.default_rng(seed), world.truth
    judged = [judge(*world.draw(rng)) for _ in range(pairs)]
    covered = [low <= truth <= high for (low, high), _ in judged]
    return Rates(float(np.mean([p <= 0.05 for _, p in judged])), float(np.mean(covered)))


def of_one_arm(world: World, arms: int = 4000, seed: int = 0) -> list[tuple[int, bool, bool]]:
    """Of arms with several seeds: images between the best and the worst seed, and which intervals hold the truth.

    The first interval is Student's over seeds, without width where they agree; the second is the one that a table
    shows. The truth is the share of right answers over all seeds and all images.
    """
    rng, found = np.random.default_rng(seed), []
    deviation = (world.difficulty**2 + world.taste**2 + world.seed**2 + world.chance**2) ** 0.5
    truth = float(stats.norm.cdf(world.m[0] / deviation))
    for _ in range(arms):
        count = world.draw(rng)[0].sum(axis=1)
        values = tuple((count / world.n).tolist())
        low, high = proportion_confint(count, world.n, method="wilson")
        student, mean = over_seeds_of_one(values), float(np.mean(values))
        images = (float(np.mean(low)), float(np.mean(high)))
        shown = ArmScore("a", tuple(range(len(values))), values, mean, images, student, None).interval
        held = [ends[0] <= truth <= ends[1] for ends in (student or (mean, mean), shown or (mean, mean))]
        found.append((int(count.max() - count.min()), held[0], held[1]))
    return found


SETTINGS: dict[str, dict[str, object]] = {
    "same recipe": {"taste": 0.0},
    "equal on average": {},
    "images matter more": {"taste": 0.6, "seed": 0.02},
    "seeds matter more": {"taste": 0.1, "seed": 0.2},
    "2.8 points apart": {"m": (0.6, 0.73)},
}
PAIRINGS = {"unpaired": (False, 0.0), "paired, nothing shared": (True, 0.0), "paired, half shared": (True, 0.5)}
