"""The difference between two arms in one score: how large, how sure, or why it cannot be said."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import NamedTuple

from dcp.comparison import seeds_and_images
from dcp.comparison.arms import Member, Members
from dcp.comparison.comparable import not_comparable
from dcp.comparison.effect_size import hedges, plan
from dcp.comparison.intervals import LEVEL, Interval, clipped, p_of, unpaired_over_images
from dcp.comparison.mcnemar import McNemar
from dcp.comparison.pairing import paired_seeds, right_answers
from dcp.comparison.scores import having, image_interval, range_of, score_of, values_of


class Methods(NamedTuple):
    """What interval and p are taken over, by which seeds there are."""

    unpaired: str
    paired: str
    one: str  # one seed against several


IMAGES_PAIRED = "paired over test images"
IMAGES_PAIRED_VALUES = "paired over test images, their values"
IMAGES_UNPAIRED = "unpaired over test images"
IMAGES = (IMAGES_PAIRED, IMAGES_PAIRED_VALUES, IMAGES_UNPAIRED)
SEEDS = Methods("over seeds (Welch)", "over seeds, paired", "over seeds (one seed against several)")
SEEDS_AND_IMAGES = Methods(
    "over seeds and test images",
    "over seeds and test images, seeds paired",
    "over seeds and test images (one seed against several)",
)
# What the p-value of each is of; seeds_and_images.py and mcnemar.py say how.
TESTS = {
    IMAGES_PAIRED: "McNemar's exact test",
    IMAGES_PAIRED_VALUES: "paired t test over test images",
    IMAGES_UNPAIRED: "normal test",
    SEEDS.unpaired: "Welch's t test",
    SEEDS.paired: "paired t test",
    SEEDS.one: "t test",
    SEEDS_AND_IMAGES.unpaired: "t test, seeds and images at random",
    SEEDS_AND_IMAGES.paired: "paired t test, seeds and images at random",
    SEEDS_AND_IMAGES.one: "t test, seeds and images at random",
}
TWO_SEEDS = "2 seeds are too few"
NO_SPREAD = "the seeds agree to the last digit: no spread to judge by"
# Scores are shares, ranks and ratios, none of a natural size far below 1: smaller differences are rounding.
NEGLIGIBLE = 1e-6


@dataclass(frozen=True)
class Difference:
    """Score of `arm` minus score of `against`."""

    arm: str  # name of the arm
    against: str  # name of the first arm
    value: float | None = None  # the difference; None if the two cannot be compared
    interval: Interval | None = None  # its 95 % interval; None if there is none to be had
    method: str = ""  # what interval and p are taken over, and how; "" without one
    # why it could not be compared, or not by the sharper method, or not be decided; "" if nothing stood in the way
    why: str = ""
    firm: bool = True  # whether the interval may decide; with two seeds, or without spread between seeds, it may not
    # two-sided p-value of no difference, by the same method as the interval; None if there is none
    p: float | None = None
    # the same after Holm's correction over all arms that are compared with the first; of the primary score only
    p_holm: float | None = None
    effect: float | None = None  # the difference in standard deviations between seeds; None without several seeds
    effect_kind: str = ""  # which effect that is, in words
    seeds_needed: int | None = None  # an arm, to show this difference with 80 % power at 5 %; None if it cannot be said
    seeds_why: str = "one seed each"  # why it cannot; "" if it can
    # test images that only `against`, and that only `arm` has right; of single seeds only
    discordant: tuple[int, int] | None = None

    @property
    def verdict(self) -> str:
        """One of "higher", "lower", and "undecided".

        Undecided is what may not decide, as every score but the primary one, and what the interval or the corrected
        p-value leave open.
        """
        if not self._apart or self.p_holm is None or self.p_holm > 1 - LEVEL or self.interval is None:
            return "undecided"
        return "higher" if self.interval[0] > 0 else "lower"

    @property
    def lost_to_correction(self) -> bool:
        """Whether the interval would decide, and only Holm's correction leaves it open."""
        if self.p is None or self.p_holm is None:
            return False
        return self._apart and self.p <= 1 - LEVEL < self.p_holm

    @property
    def nothing(self) -> bool:
        """Whether there is no difference at all, nor room for one."""
        return self.value == 0 and not any(self.interval or ())

    @property
    def _apart(self) -> bool:
        """Whether the interval may decide and excludes 0."""
        return self.firm and self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]


def difference(arms: Members, arm: str, against: str, evaluation: str, score: str) -> Difference:
    """Compare two arms in one score, over seeds where there are several, and over test images where they are known."""
    a, b = (having(arms[name], evaluation, score) for name in (against, arm))
    if missing := [name for name, members in ((against, a), (arm, b)) if not members]:
        # is it the probe that is missing, or this score in it? not every predictor has a matrix
        probed = any(evaluation in member.probes for name in missing for member in arms[name])
        why = f"no {evaluation} {'score of this name' if probed else 'probe'} in {' and '.join(missing)}"
    else:
        why = not_comparable(a, b, evaluation)
    if why:
        return Difference(arm, against, why=why, seeds_why="not compared")
    values = [*values_of(a, evaluation, score), *values_of(b, evaluation, score)]
    means = Difference(arm, against, fmean(values[len(a) :]) - fmean(values[: len(a)]))
    judge = _over_seeds if max(len(a), len(b)) > 1 else _over_images
    result = judge(means, a, b, evaluation, score)
    low, high = range_of(score, [member.probes[evaluation] for member in (*a, *b)])
    widest = max(high, *values) - min(low, *values)
    result = replace(result, interval=clipped(result.interval, -widest, widest))
    ends = (result.value, *(result.interval or ()))
    if any(end is None or abs(end) > NEGLIGIBLE * max(1.0, *map(abs, values)) for end in ends):
        return result
    # what is rounding beside scores of this size is 0, and then without a test
    untested = replace(result, p=None, effect=None, effect_kind="", seeds_needed=None, seeds_why="no difference")
    return replace(untested, value=0.0, interval=result.interval and (0.0, 0.0))


def _over_seeds(means: Difference, a: Sequence[Member], b: Sequence[Member], evaluation: str, score: str) -> Difference:
    x, y = values_of(a, evaluation, score), values_of(b, evaluation, score)
    paired, answers = paired_seeds(a, b), right_answers(a, b, evaluation, score)
    both = None if isinstance(answers, str) else seeds_and_images.over_seeds_and_images(*answers, paired=paired)
    estimate = both or seeds_and_images.over_seeds(x, y, paired=paired)
    why = NO_SPREAD if not estimate.spread else TWO_SEEDS if 2 in (len(x), len(y)) else ""
    methods = SEEDS_AND_IMAGES if both else SEEDS
    one = min(len(x), len(y)) == 1
    effect, kind = hedges(x, y, paired=paired)
    needed, no_number = plan(x, y, estimate, paired=paired).needed()
    return replace(
        means,
        interval=estimate.interval() if estimate.variance else None,  # without width it would be certain
        method=methods.one if one else methods.paired if paired else methods.unpaired,
        why=why,
        firm=not why,
        p=estimate.p,
        effect=effect,
        effect_kind=kind,
        seeds_needed=needed,
        seeds_why=no_number,
    )


def _over_images(
    means: Difference, a: Sequence[Member], b: Sequence[Member], evaluation: str, score: str
) -> Difference:
    answers = right_answers(a, b, evaluation, score)
    if isinstance(answers, str):
        (x, around_x), (y, around_y) = (
            (score_of(member.probes[evaluation], score), image_interval(member.probes[evaluation], score))
            for member in (a[0], b[0])
        )
        if x is None or y is None or around_x is None or around_y is None:
            return replace(means, why="no interval: one seed each, and none over test images")
        interval = unpaired_over_images(x, around_x, y, around_y)
        return replace(means, interval=interval, method=IMAGES_UNPAIRED, why=answers, p=p_of(y - x, interval))
    if answers[0].dtype != bool:
        estimate = seeds_and_images.over_images(answers[0][0], answers[1][0])
        return replace(means, interval=estimate.interval(), method=IMAGES_PAIRED_VALUES, p=estimate.p)
    counts = McNemar.of(answers[0][0], answers[1][0])
    discordant = (counts.only_a, counts.only_b)
    return replace(means, interval=counts.interval(), method=IMAGES_PAIRED, p=counts.p, discordant=discordant)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's (1979) step-down p-values, which hold the chance of one false finding among all down to its level.

    The j-th smallest of m is multiplied by m - j + 1, is no smaller than those before it, and at most 1.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p)), key=p.__getitem__)
    corrected, largest = [1.0] * len(p), 0.0
    for j, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - j) * p[index]))
        corrected[index] = largest
    return corrected


def corrected(differences: Sequence[Difference]) -> list[Difference]:
    """The differences of all further arms from the first, in the primary score, with their corrected p-values."""
    tested = [(i, each.p) for i, each in enumerate(differences) if each.p is not None]
    result = list(differences)
    for (i, _), p in zip(tested, holm([p for _, p in tested]), strict=True):
        result[i] = replace(result[i], p_holm=p)
    return result
