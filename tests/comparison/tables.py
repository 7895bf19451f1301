"""The tables of docs/dev/comparing.md: how often tests and intervals are right, beside others that are not used.

python tests/comparison/tables.py [pairs of arms a cell]
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product

import numpy as np
from scipy import stats
from simulation import (
    PAIRINGS,
    SETTINGS,
    Judge,
    World,
    bootstrap,
    of_one_arm,
    over_both,
    over_seeds_alone,
    rates,
    single,
)

from dcp.comparison.intervals import Interval
from dcp.comparison.seeds_and_images import Estimate, over_seeds_and_images

SEEDS = (2, 3, 5, 10)


def with_quantile(quantile: Callable[[Estimate], float], paired: bool) -> Judge:
    """Judge over both, with another number of standard errors; its p-value is not looked at."""

    def judge(a: np.ndarray, b: np.ndarray) -> tuple[Interval, float]:
        found = over_seeds_and_images(a, b, paired=paired)
        assert found is not None
        reach = quantile(found) * found.variance**0.5
        return (found.value - reach, found.value + reach), 1.0

    return judge


def parts(found: Estimate) -> tuple[float, float, float]:
    """The seeds' share of the variance, and the t quantiles of seeds and of images by themselves."""
    share = 1 - found.images.variance / found.variance if found.variance else 1.0
    seeds = Estimate(found.value, found.seeds).df
    return share, float(stats.t.ppf(0.975, seeds)), float(stats.t.ppf(0.975, found.images.df))


def squares_added(found: Estimate) -> float:
    share, seeds, images = parts(found)
    return (share * seeds**2 + (1 - share) * images**2) ** 0.5


def cochran_cox(found: Estimate) -> float:
    share, seeds, images = parts(found)
    return share * seeds + (1 - share) * images


QUANTILES: dict[str, Callable[[Estimate], float]] = {
    "Satterthwaite": lambda found: float(stats.t.ppf(0.975, found.df)),
    "Cochran and Cox": cochran_cox,
    "squares added": squares_added,
}


def table(pairs: int) -> Iterator[str]:
    """Rejected and covered, in percent, by seeds, pairing and setting."""
    yield f"| seeds | | {' | '.join(SETTINGS)} |"
    yield f"|---|---|{'---:|' * len(SETTINGS)}"
    for seeds in SEEDS:
        for name, (paired, shared) in PAIRINGS.items():
            cells = []
            for change in SETTINGS.values():
                world = replace(World(), seeds=(seeds, seeds), shared=shared, **change)
                cells.append("{:.1%}, {:.1%}".format(*rates(world, over_both(paired), pairs)).replace("%", ""))
            yield f"| {seeds} | {name} | {' | '.join(cells)} |"


def other_ways(pairs: int) -> Iterator[str]:
    """What intervals of other kinds cover, where both arms are equal on average."""
    yield "| seeds | | | seeds and images | seeds alone | bootstrap of seeds and images |"
    yield "|---|---|---|---:|---:|---:|"
    for seeds, paired, setting in product(SEEDS, (False, True), ("seeds matter more", "images matter more")):
        world = replace(World(), seeds=(seeds, seeds), shared=0.5 * paired, **SETTINGS[setting])
        found = [rates(world, judge(paired), pairs).covered for judge in (over_both, over_seeds_alone, bootstrap)]
        cells = " | ".join(f"{100 * one:.1f}" for one in found)
        yield f"| {seeds} | {'' if paired else 'un'}paired | {setting} | {cells} |"


def quantiles(pairs: int) -> Iterator[str]:
    """What the same variance covers with other quantiles."""
    yield f"| seeds | | | {' | '.join(QUANTILES)} |"
    yield f"|---|---|---|{'---:|' * len(QUANTILES)}"
    for seeds, paired, setting in product((2, 3, 5), (False, True), ("equal on average", "images matter more")):
        world = replace(World(), seeds=(seeds, seeds), shared=0.5 * paired, **SETTINGS[setting])
        found = [rates(world, with_quantile(one, paired), pairs).covered for one in QUANTILES.values()]
        cells = " | ".join(f"{100 * one:.1f}" for one in found)
        yield f"| {seeds} | {'' if paired else 'un'}paired | {setting} | {cells} |"


def uneven(pairs: int) -> Iterator[str]:
    """Arms with different numbers of seeds, and single ones, which are judged over images alone."""
    yield "| seeds | rejected | covered |"
    yield "|---|---:|---:|"
    for seeds in ((1, 3), (1, 5), (2, 5), (3, 10)):
        found = rates(replace(World(), seeds=seeds), over_both(False), pairs)
        yield f"| {seeds[0]} and {seeds[1]} | {100 * found.rejected:.1f} | {100 * found.covered:.1f} |"
    fixed = rates(replace(World(), seeds=(1, 1), seed=0.0), single, pairs)
    yield f"| 1 and 1, no spread between seeds | {100 * fixed.rejected:.1f} | {100 * fixed.covered:.1f} |"
    trained = rates(replace(World(), seeds=(1, 1)), single, pairs)
    yield f"| 1 and 1 | {100 * trained.rejected:.1f} | {100 * trained.covered:.1f} |"


APART = {"all": (0, 10**9), "agree": (0, 0), "1 to 3 images apart": (1, 3), "further apart": (4, 10**9)}


def close_seeds(arms: int) -> Iterator[str]:
    """What the intervals of an arm with two seeds cover, by how far apart the seeds are."""
    yield "| | two seeds | share of the arms | Student's over seeds | the interval that is shown |"
    yield "|---|---|---:|---:|---:|"
    for setting in ("equal on average", "images matter more", "seeds matter more"):
        found = of_one_arm(replace(World(), seeds=(2, 1), **SETTINGS[setting]), arms)
        for name, (least, most) in APART.items():
            held = np.array([row for row in found if least <= row[0] <= most])
            cells = " | ".join(f"{100 * one:.1f}" for one in (len(held) / arms, *held[:, 1:].mean(axis=0)))
            yield f"| {setting} | {name} | {cells} |"


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    for part in (table(count), other_ways(count // 4), quantiles(count // 2), uneven(count), close_seeds(5 * count)):
        print(*part, "", sep="\n", flush=True)
