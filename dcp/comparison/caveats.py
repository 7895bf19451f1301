"""What a comparison must say besides its numbers: what the intervals cover, and what cannot be compared."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from dcp.comparison.arms import Member
from dcp.comparison.comparable import data_differ, images_of, share_tests
from dcp.comparison.difference import (
    CROSSED,
    CROSSED_ONE,
    CROSSED_PAIRED,
    ONE_AGAINST_SEEDS,
    PAIRED,
    PAIRED_MEANS,
    PAIRED_SEEDS,
    TWO_SEEDS,
    UNPAIRED,
    WELCH,
    Difference,
)
from dcp.comparison.missing_runs import Absent, became, half_way, lost, scored, told

Arms = Mapping[str, Sequence[Member]]
TIMED = (
    "Accuracies at equal time are of readouts that learn while the encoder trains, on training views: they show the"
    " pace, not the result.",
)


def covers(arms: Arms, differences: Iterable[Difference], *, timed: bool = False) -> tuple[str, ...]:
    """Whole sentences on what intervals and tests are taken over, and what they leave out.

    Args:
        arms: members by name of arm.
        differences: all that were taken.
        timed: whether there are readouts at equal time.
    """
    known = list(differences)
    methods = {one.method for one in known}
    return tuple([*_intervals(arms, methods), *_seeds(arms, methods), *_tests(known), *(TIMED if timed else ())])


def _intervals(arms: Arms, methods: set[str]) -> Iterator[str]:
    if len(arms) == 1:
        yield "All of these are seeds of one recipe; there is nothing to compare it with."
    if methods & {PAIRED, PAIRED_MEANS, UNPAIRED}:
        yield (
            "Differences between single seeds have intervals over test images: how far they could move with"
            " other images of the same kind. They say nothing about how training varies from seed to seed;"
            " for that, train several (--seeds 0-4)."
        )
    if methods & {CROSSED, CROSSED_PAIRED, CROSSED_ONE}:
        yield (
            "Differences between several seeds have intervals over seeds and test images: how far they could move"
            " with other trainings, judged on other images of the same kind."
        )
    if methods & {WELCH, PAIRED_SEEDS, ONE_AGAINST_SEEDS}:
        of = " of scores without predictions per image" if methods & {CROSSED, CROSSED_PAIRED, CROSSED_ONE} else ""
        yield (
            f"Differences between several seeds{of} have intervals over seeds: how far they could move with other"
            " trainings, judged on the same test images."
        )


def _seeds(arms: Arms, methods: set[str]) -> Iterator[str]:
    if methods & {PAIRED_SEEDS, CROSSED_PAIRED}:
        yield "Seeds are paired where both arms have the same ones, and a seed gives both the same images in one order."
    if any(len(arm) == 2 and arm[0].probes.keys() & arm[1].probes.keys() for arm in arms.values()):
        yield f"Intervals over {TWO_SEEDS}, and no verdict rests on them; train more (--seeds 0-4)."
    if methods & {ONE_AGAINST_SEEDS, CROSSED_ONE}:
        yield "Where an arm has one seed only, it is taken to vary as the seeds of the other arm do."


def _tests(differences: Sequence[Difference]) -> Iterator[str]:
    by_arm = [one.arm for one in differences if one.p is not None]
    if by_arm:
        most = max(map(by_arm.count, by_arm))
        yield (
            "p: how often such a difference, or a larger one, would show if there were none. Holm p: corrected for"
            f" the tested scores of two arms ({most}), not for the number of arms. A verdict needs an interval without"
            " 0 and a Holm p of at most 0.05."
        )
    if any(one.effect is not None for one in differences):
        yield "Effect: Hedges' g, the difference in standard deviations between seeds (paired: of their differences)."
    if any(one.seeds_needed is not None for one in differences):
        yield (
            "Seeds needed: in each arm, to show this difference with 80 % power at the 5 % level, if it and the spread"
            " are as they look now; a guide, as unsure as they are."
        )


def caveats(arms: Arms, absent: Iterable[Absent] = ()) -> tuple[str, ...]:
    """Whole sentences on what cannot be compared, or only with care.

    Args:
        arms: members by name of arm.
        absent: runs that belong to arms and are none of the members.
    """
    members = [one for arm in arms.values() for one in arm]
    survivors = _survivors(arms, absent)
    return tuple([*survivors, *_missing(members), *_data(arms), *_images(arms), *_made_otherwise(members)])


def _survivors(arms: Arms, absent: Iterable[Absent]) -> Iterator[str]:
    """Which runs did not finish, and whose scores are those of the others only."""
    by_name = [(name, one) for name, arm in arms.items() for one in arm]
    gone = [Absent(name, one.run.seed, became(one.run)) for name, one in by_name if lost(one)]
    having = {called for name, one in by_name if scored(one) for called in (name, one.run.name)}
    yield from told([*gone, *absent], having)
    yield from (half_way(one) for _, one in by_name if became(one.run) and scored(one))


def _missing(members: Sequence[Member]) -> Iterator[str]:
    known = {name for one in members for name, probe in one.probes.items() if probe.score}
    for evaluation in sorted(known):
        without = [one for one in members if evaluation not in one.probes and not lost(one)]
        if without:
            names = ", ".join(one.label for one in without)
            yield f"No {evaluation} probe in {names}; `dcp probe` makes it."
        having = [one for one in members if evaluation in one.probes]
        measured = {one.label: one.probes[evaluation].step for one in having}
        if len(set(measured.values())) > 1:
            steps = ", ".join(f"{name} at step {step}" for name, step in measured.items())
            yield f"The {evaluation} probes were taken at different points: {steps}."


def _data(arms: Arms) -> Iterator[str]:
    (against, first), *others = [(name, members[0]) for name, members in arms.items()]
    for name, one in others:
        why = data_differ(first, one)
        if why and not share_tests(first, one):
            yield f"{name} and {against} cannot be compared in their scores: {why}."
        elif why:
            yield f"{name} and {against} were trained on different images ({why})."
        elif _fingerprint(first) != _fingerprint(one):
            yield f"{name} and {against} were trained on different images of the same source."
    for members in arms.values():
        prints = {_fingerprint(one) for one in members}
        if len(prints) > 1:
            yield f"The seeds of {members[0].run.name} were not trained on the same files."


def _images(arms: Arms) -> Iterator[str]:
    """What the probes say, or do not say, about the images that they used."""
    if len(arms) == 1:
        return
    older = [one.label for arm in arms.values() for one in arm if None in _used(one, "test").values()]
    if older:
        yield (
            f"Older probes: those of {', '.join(older)} do not say which images they were tested on. They are paired"
            " if their labels agree, which those of other images may do too; `dcp probe` measures again."
        )
    (against, first), *others = arms.items()
    for name, arm in others:
        fitted = [_used(one, "train") for one in (*first, *arm)]
        names = sorted({name for one in fitted for name in one})
        differing = [name for name in names if len({one.get(name) for one in fitted} - {None}) > 1]
        if differing:
            yield f"The probes of {name} and {against} had other training images ({', '.join(differing)})."


def _used(one: Member, split: str) -> dict[str, str | None]:
    return {name: images_of(probe, split) for name, probe in one.probes.items()}


def _made_otherwise(members: Sequence[Member]) -> Iterator[str]:
    if len({(one.run.record.device, one.run.record.processes) for one in members}) > 1:
        yield "The runs were made on different devices: their speeds, times and memory are not comparable."
    versions = [one.run.record.versions for one in members]
    for package in ("dcp", "torch"):
        different = dict.fromkeys(str(version[package]) for version in versions if package in version)
        if len(different) > 1:
            yield f"The runs were made by different versions of {package}: {', '.join(different)}."


def _fingerprint(one: Member) -> str | None:
    return one.run.record.data.fingerprint
