"""Runs side by side, as data: scores and differences with intervals, settings, cost.

Every difference is against the first arm, and has an interval or says why it has none. How it looks, and what must be
said besides, is the business of `dcp.report`; nothing here needs torch.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from dcp.comparison.arms import Arm, Member, Members, describe, group, mean
from dcp.comparison.equal_time import EqualTime, at_equal_time
from dcp.comparison.intervals import Interval, clipped, over_seeds
from dcp.comparison.missing_runs import Absent
from dcp.comparison.primary import Name, Role, primary_of, roles
from dcp.comparison.scores import having, image_interval, range_of, score_of, values_of
from dcp.comparison.significance import Difference, corrected, difference
from dcp.errors import RequestError
from dcp.runs.lookup import without_folder
from dcp.runs.records import BEFORE, UNTRAINED
from dcp.runs.run import Run, find


@dataclass(frozen=True)
class ArmScore:
    """One score of one arm."""

    arm: str  # its name
    seeds: tuple[int, ...]  # those that have the score
    values: tuple[float, ...]  # the score of each of them
    mean: float | None  # over the seeds; None if no seed has it
    # mean of the seeds' own intervals over test images. They share those images, so averaging does not narrow it
    over_images: Interval | None
    # Student's t interval, from two seeds on, or its part in the score's range; None if the seeds agree
    over_seeds: Interval | None
    untrained: float | None  # the same evaluation of the encoder before training, mean over the seeds

    @property
    def interval(self) -> Interval | None:
        """Over its seeds; of a single seed, or of seeds that agree, over test images.

        Of two seeds no narrower than over test images: two may be close by chance.
        """
        if self.over_seeds is None or self.over_images is None:
            return self.over_seeds or self.over_images
        if len(self.values) > 2:
            return self.over_seeds
        return min(self.over_seeds[0], self.over_images[0]), max(self.over_seeds[1], self.over_images[1])


@dataclass(frozen=True)
class ScoreRow:
    """One score of one evaluation, for every arm, and each further arm's difference from the first."""

    evaluation: str
    score: str
    n: int | None
    arms: tuple[ArmScore, ...]
    differences: tuple[Difference, ...]
    role: Role  # the primary score decides, a secondary one has a p-value that is not corrected, others describe

    @property
    def name(self) -> str:
        """Of evaluation and score."""
        return f"{self.evaluation} {self.score}"


@dataclass(frozen=True)
class Setting:
    """A recipe key in which the arms differ; None where a recipe does not have it."""

    key: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Comparison:
    """Everything that runs have to say to each other."""

    arms: tuple[Arm, ...]  # in the order given; the first is what the others are compared with
    scores: tuple[ScoreRow, ...]  # by evaluation and score
    settings: tuple[Setting, ...]  # recipe keys that differ, without the table [run]
    members: Members  # the runs of each arm, by its name
    absent: tuple[Absent, ...] = ()  # runs that belong to arms and have no part in the scores
    primary_name: Name = ("", "")  # evaluation and score that the arms are judged by, whether or not a run has it
    # readouts during training, after as long as all runs have trained; none if no run has them. Arms that learned
    # other data than the first are left out
    equal_time: tuple[EqualTime, ...] = ()

    @property
    def primary(self) -> ScoreRow | None:
        """The primary score; None where no run has it."""
        return next((row for row in self.scores if row.role == "primary"), None)

    @property
    def baseline(self) -> str:
        """What the encoders before training are called: "untrained" where all began with random weights."""
        records = [member.run.record for arm in self.members.values() for member in arm]
        return BEFORE if any(record.baseline == BEFORE for record in records) else UNTRAINED

    def differences(self) -> dict[str, list[tuple[ScoreRow, Difference]]]:
        """Of each further arm from the first, by its name: in every score, with the row of that."""
        others = [arm.name for arm in self.arms[1:]]
        rows = [(row, difference) for row in self.scores for difference in row.differences]
        return {arm: [(row, difference) for row, difference in rows if difference.arm == arm] for arm in others}


def compare(runs: Iterable[Run], absent: Iterable[Absent] = ()) -> Comparison:
    """Compare at least two runs; those of one recipe that differ only in seed count as one arm.

    Raises:
        RequestError: "too-few-runs", or what reading a run folder raises.
    """
    unique = {run.path.resolve(): run for run in runs}
    if len(unique) < 2:
        hint = "Give two run folders or names, or one name without -s<seed> that has several seeds."
        raise RequestError("compare needs at least two runs", slug="too-few-runs", hint=hint)
    arms = group(map(Member.of, unique.values()))
    recipes = [members[0].settings for members in arms.values()]
    keys = dict.fromkeys(key for recipe in recipes for key in recipe)
    settings = [Setting(key, tuple(recipe.get(key) for recipe in recipes)) for key in keys]
    return Comparison(
        arms=tuple(describe(name, members) for name, members in arms.items()),
        scores=_rows(arms),
        settings=tuple(row for row in settings if any(value != row.values[0] for value in row.values)),
        members=arms,
        absent=tuple(absent),
        primary_name=primary_of(arms),
        equal_time=at_equal_time(arms),
    )


def _rows(arms: Members) -> tuple[ScoreRow, ...]:
    """Every score that some run has; Holm's correction is over the arms, in the primary score."""
    first, *others = arms
    rows = []
    for (evaluation, score), role in roles(arms).items():
        counts = {m.probes[evaluation].n for members in arms.values() for m in having(members, evaluation, score)}
        values = tuple(_arm_score(name, members, evaluation, score) for name, members in arms.items())
        n = counts.pop() if len(counts) == 1 else None
        differences = [difference(arms, name, first, evaluation, score) for name in others]
        differences = corrected(differences) if role == "primary" else differences
        rows.append(ScoreRow(evaluation, score, n, values, tuple(differences), role))
    return tuple(rows)


def _arm_score(name: str, arm: Sequence[Member], evaluation: str, score: str) -> ArmScore:
    members = having(arm, evaluation, score)
    probes = [member.probes[evaluation] for member in members]
    values = values_of(members, evaluation, score)
    intervals = [ends for probe in probes if (ends := image_interval(probe, score)) is not None]
    every = bool(probes) and len(intervals) == len(probes)
    low, high = range_of(score, probes)
    return ArmScore(
        arm=name,
        seeds=tuple(member.run.seed for member in members),
        values=tuple(values),
        mean=mean(values),
        over_images=(fmean(low for low, _ in intervals), fmean(high for _, high in intervals)) if every else None,
        over_seeds=clipped(over_seeds(values), min([low, *values]), max([high, *values])),  # no rank at all is 0
        untrained=mean(score_of(probe.random_encoder, score) for probe in probes),
    )


def compare_named(words: Sequence[str], root: Path) -> Comparison:
    """Compare the runs that `words` mean below `root`; of a study, also say which of its runs are not there.

    Raises:
        RequestError: "no-such-run", "too-few-runs", or what reading a run folder raises.
    """
    absent = [Absent(name, seed, "no folder") for name, seed in without_folder(words, root)]
    return compare(find(words, root), absent=absent)
