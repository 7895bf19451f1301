"""The difference between two arms in one score: how large, how sure, or why it cannot be said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from dcp.comparison import seeds_and_images
from dcp.comparison.arms import Member
from dcp.comparison.comparable import not_comparable
from dcp.comparison.effect_size import hedges, plan
from dcp.comparison.intervals import LEVEL, Interval, clipped, p_of, unpaired_over_images
from dcp.comparison.mcnemar import matched
from dcp.comparison.pairing import paired_seeds, right_answers
from dcp.comparison.scores import having, image_interval, score_of, values_of
from dcp.runs.records import is_share

PAIRED = "paired over test images"
PAIRED_MEANS = "paired over test images, their values"
UNPAIRED = "unpaired over test images"
WELCH = "over seeds (Welch)"
PAIRED_SEEDS = "over seeds, paired"
ONE_AGAINST_SEEDS = "over seeds (one seed against several)"
CROSSED = "over seeds and test images"
CROSSED_PAIRED = "over seeds and test images, seeds paired"
CROSSED_ONE = "over seeds and test images (one seed against several)"
# What the p-value of each is of; crossed.py and matched.py say how.
TESTS = {
    PAIRED: "McNemar's exact test",
    PAIRED_MEANS: "paired t test over test images",
    UNPAIRED: "normal test",
    WELCH: "Welch's t test",
    PAIRED_SEEDS: "paired t test",
    ONE_AGAINST_SEEDS: "t test",
    CROSSED: "t test, seeds and images at random",
    CROSSED_PAIRED: "paired t test, seeds and images at random",
    CROSSED_ONE: "t test, seeds and images at random",
}
TWO_SEEDS = "2 seeds: wide by nature"
NO_SPREAD = "the seeds agree to the last digit: no spread to judge by"
# Scores are shares, ranks and ratios, none of a natural size far below 1: smaller differences are rounding.
NEGLIGIBLE = 1e-6


@dataclass(frozen=True)
class Difference:
    """Score of `arm` minus score of `against`.

    Attributes:
        arm: name of the arm.
        against: name of the first arm.
        value: the difference; None if the two cannot be compared.
        interval: its 95 % interval; None if there is none to be had.
        method: what interval and p are taken over, and how; "" without one.
        why: why it could not be compared, or not by the sharper method, or not be decided; "" if nothing
            stood in the way.
        firm: whether the interval may decide; with two seeds, or without spread between seeds, it may not.
        p: two-sided p-value of no difference, by the same method as the interval; None if there is none.
        p_holm: the same after Holm's correction over all scores of these two arms.
        effect: the difference in standard deviations between seeds; None without several seeds.
        effect_kind: which effect that is, in words.
        seeds_needed: an arm, to show this difference with 80 % power at 5 %; None if it cannot be said.
        seeds_why: why it cannot; "" if it can.
        discordant: test images that only `against`, and that only `arm` has right; of single seeds only.
    """

    arm: str
    against: str
    value: float | None = None
    interval: Interval | None = None
    method: str = ""
    why: str = ""
    firm: bool = True
    p: float | None = None
    p_holm: float | None = None
    effect: float | None = None
    effect_kind: str = ""
    seeds_needed: int | None = None
    seeds_why: str = "one seed each"
    discordant: tuple[int, int] | None = None

    @property
    def verdict(self) -> str:
        """One of "higher", "lower", and "undecided".

        Undecided is what may not decide, and what the interval or the corrected p-value leave open.
        """
        if not self._apart or self.p_holm is None or self.p_holm > 1 - LEVEL or self.interval is None:
            return "undecided"
        return "higher" if self.interval[0] > 0 else "lower"

    @property
    def lost_to_correction(self) -> bool:
        """Whether the interval would decide, and only Holm's correction leaves it open."""
        return self._apart and self.verdict == "undecided" and self.p is not None and self.p <= 1 - LEVEL

    @property
    def nothing(self) -> bool:
        """Whether there is no difference at all, nor room for one."""
        return self.value == 0 and not any(self.interval or ())

    @property
    def _apart(self) -> bool:
        """Whether the interval may decide and leaves 0 out."""
        return self.firm and self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]


def difference(arms: Mapping[str, Sequence[Member]], arm: str, against: str, evaluation: str, score: str) -> Difference:
    """Compare two arms in one score, over seeds where there are several, and over test images where they are known.

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
    if why := why or not_comparable(first, second, evaluation):
        return Difference(arm, against, why=why, seeds_why="not compared")
    a, b = values_of(first, evaluation, score), values_of(second, evaluation, score)
    found = Difference(arm, against, fmean(b) - fmean(a))
    by = _over_seeds if max(len(a), len(b)) > 1 else _over_images
    found = by(found, first, second, evaluation, score)
    if is_share(score):
        found = replace(found, interval=clipped(found.interval, -1.0, 1.0))
    return _without_rounding(found, max(1.0, *map(abs, (*a, *b))))


def _what(arms: Mapping[str, Sequence[Member]], missing: list[str], evaluation: str) -> str:
    """Whether it is the probe that is missing, or this score in it: not every predictor has a matrix."""
    probed = any(evaluation in one.probes for name in missing for one in arms[name])
    return "score of this name" if probed else "probe"


def _over_seeds(
    found: Difference, first: Sequence[Member], second: Sequence[Member], evaluation: str, score: str
) -> Difference:
    a, b = values_of(first, evaluation, score), values_of(second, evaluation, score)
    paired, answers = paired_seeds(first, second), right_answers(first, second, evaluation, score)
    both = None if isinstance(answers, str) else seeds_and_images.over_seeds_and_images(*answers, paired=paired)
    estimate = both or seeds_and_images.over_seeds(a, b, paired=paired)
    why = "" if estimate.spread else NO_SPREAD
    why = why or (TWO_SEEDS if 2 in (len(a), len(b)) else "")
    (effect, kind), (needed, no_number) = hedges(a, b, paired=paired), plan(a, b, estimate, paired=paired).needed()
    return replace(
        found,
        interval=estimate.interval(),
        method=_method(both is not None, paired, min(len(a), len(b))),
        why=why,
        firm=not why,
        p=estimate.p,
        effect=effect,
        effect_kind=kind,
        seeds_needed=needed,
        seeds_why=no_number,
    )


def _method(images: bool, paired: bool, fewest: int) -> str:
    if fewest == 1:
        return CROSSED_ONE if images else ONE_AGAINST_SEEDS
    if paired:
        return CROSSED_PAIRED if images else PAIRED_SEEDS
    return CROSSED if images else WELCH


def _over_images(
    found: Difference, first: Sequence[Member], second: Sequence[Member], evaluation: str, score: str
) -> Difference:
    answers = right_answers(first, second, evaluation, score)
    if not isinstance(answers, str) and answers[0].dtype != bool:
        estimate = seeds_and_images.over_images(answers[0][0], answers[1][0])
        return replace(found, interval=estimate.interval(), method=PAIRED_MEANS, p=estimate.p)
    if not isinstance(answers, str):
        counts = matched(answers[0][0], answers[1][0])
        discordant = (counts.only_a, counts.only_b)
        return replace(found, interval=counts.interval(), method=PAIRED, p=counts.p, discordant=discordant)
    (value_a, around_a), (value_b, around_b) = (
        (score_of(one.probes[evaluation], score), image_interval(one.probes[evaluation], score))
        for one in (first[0], second[0])
    )
    if value_a is None or value_b is None or around_a is None or around_b is None:
        return replace(found, why="no interval: one seed each, and none over test images")
    interval = unpaired_over_images(value_a, around_a, value_b, around_b)
    return replace(found, interval=interval, method=UNPAIRED, why=answers, p=p_of(value_b - value_a, interval))


def _without_rounding(found: Difference, size: float) -> Difference:
    """The same with 0 for what is rounding beside scores of this size, and then without a test."""
    ends = (found.value, *(found.interval or ()))
    if any(end is None or abs(end) > NEGLIGIBLE * size for end in ends):
        return found
    none = Difference(found.arm, found.against, 0.0, found.interval and (0.0, 0.0), found.method, found.why, found.firm)
    return replace(none, seeds_why="no difference", discordant=found.discordant)
