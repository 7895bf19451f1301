"""What a comparison must say besides its numbers, in whole sentences: what the intervals cover, what takes care."""

from collections.abc import Iterator

from dcp.comparison.arms import Member
from dcp.comparison.comparable import data_differ, images_of, share_tests
from dcp.comparison.compare import Comparison
from dcp.comparison.difference import (
    IMAGES_PAIRED,
    IMAGES_PAIRED_VALUES,
    IMAGES_UNPAIRED,
    SEEDS,
    SEEDS_AND_IMAGES,
    SEEDS_AND_IMAGES_ONE,
    SEEDS_AND_IMAGES_PAIRED,
    SEEDS_ONE,
    SEEDS_PAIRED,
    TWO_SEEDS,
)
from dcp.comparison.equal_time import of_other_data
from dcp.comparison.missing_runs import Absent, scored, unfinished

TIMED = (
    "Accuracies at equal time are of readouts that learn while the encoder trains, on training views: they show the"
    " pace, not the result."
)
UNFINISHED = {
    "running": "it is running, or was killed",
    "failed": "it failed",
    "interrupted": "it was interrupted",
}
FATES = {
    "diverged": "diverged",
    "no folder": "left no run folder",
    "unreadable": "cannot be read",
    "no encoder": "lost the encoder",
}


def covers(comparison: Comparison) -> tuple[str, ...]:
    """What intervals and tests are taken over, and what they leave out."""
    differences = [difference for row in comparison.scores for difference in row.differences]
    methods = {difference.method for difference in differences}
    lines = [*_intervals(comparison, methods), *_seeds(comparison, methods)]
    tested = [difference.arm for difference in differences if difference.p is not None]
    if tested:
        lines.append(
            "p: how often such a difference, or a larger one, would show if there were none. Holm p: corrected for"
            f" the tested scores of two arms ({max(map(tested.count, tested))}), not for the number of arms. A verdict"
            " needs an interval without 0 and a Holm p of at most 0.05."
        )
    if any(difference.effect is not None for difference in differences):
        lines.append(
            "Effect: Hedges' g, the difference in standard deviations between seeds (paired: of their differences)."
        )
    if any(difference.seeds_needed is not None for difference in differences):
        lines.append(
            "Seeds needed: in each arm, to show this difference with 80 % power at the 5 % level, if it and the spread"
            " are as they look now; a guide, as unsure as they are."
        )
    return (*lines, *([TIMED] if comparison.equal_time else []))


def _intervals(comparison: Comparison, methods: set[str]) -> Iterator[str]:
    if len(comparison.arms) == 1:
        yield "All of these are seeds of one recipe; there is nothing to compare it with."
    if methods & {IMAGES_PAIRED, IMAGES_PAIRED_VALUES, IMAGES_UNPAIRED}:
        yield (
            "Differences between single seeds have intervals over test images: how far they could move with"
            " other images of the same kind. They say nothing about how training varies from seed to seed;"
            " for that, train several (--seeds 0-4)."
        )
    if methods & {SEEDS_AND_IMAGES, SEEDS_AND_IMAGES_PAIRED, SEEDS_AND_IMAGES_ONE}:
        yield (
            "Differences between several seeds have intervals over seeds and test images: how far they could move"
            " with other trainings, judged on other images of the same kind."
        )
    if methods & {SEEDS, SEEDS_PAIRED, SEEDS_ONE}:
        of = (
            " of scores without predictions per image"
            if methods & {SEEDS_AND_IMAGES, SEEDS_AND_IMAGES_PAIRED, SEEDS_AND_IMAGES_ONE}
            else ""
        )
        yield (
            f"Differences between several seeds{of} have intervals over seeds: how far they could move with other"
            " trainings, judged on the same test images."
        )


def _seeds(comparison: Comparison, methods: set[str]) -> Iterator[str]:
    if methods & {SEEDS_PAIRED, SEEDS_AND_IMAGES_PAIRED}:
        yield "Seeds are paired where both arms have the same ones, and a seed gives both the same images in one order."
    arms = comparison.members.values()
    if any(len(members) == 2 and members[0].probes.keys() & members[1].probes.keys() for members in arms):
        yield f"Intervals over {TWO_SEEDS}, and no verdict rests on them; train more (--seeds 0-4)."
    if methods & {SEEDS_ONE, SEEDS_AND_IMAGES_ONE}:
        yield "Where an arm has one seed only, it is taken to vary as the seeds of the other arm do."


def caveats(comparison: Comparison) -> tuple[str, ...]:
    """What cannot be compared, or only with care."""
    parts = (_survivors, _missing_probes, _data, _images, _made_otherwise, _left_out)
    return tuple(sentence for part in parts for sentence in part(comparison))


def _survivors(comparison: Comparison) -> Iterator[str]:
    """Which runs did not finish, and whose scores are those of the others only."""
    members = [(name, member) for name, arm in comparison.members.items() for member in arm]
    ended = [(member, unfinished(name, member.run)) for name, member in members]
    by_arm: dict[str, list[Absent]] = {}
    for absent in (*(absent for member, absent in ended if absent and not scored(member)), *comparison.absent):
        by_arm.setdefault(absent.arm, []).append(absent)
    with_scores = {called for name, member in members if scored(member) for called in (name, member.run.name)}
    for name, absent_runs in by_arm.items():
        if name in with_scores:
            yield f"{name}, {fates(absent_runs)}; {name}'s scores are those of its other seeds."
        else:
            yield f"{name} has no scores, because none of its runs finished: {fates(absent_runs)}."
    for member, end in ended:
        if end and scored(member):
            state, why = UNFINISHED.get(end.status, f"its status is {end.status}"), end.why.rstrip(".")
            yield f"{member.label} is not finished: {state}{why and f' ({why})'}."


def fates(absent_runs: list[Absent]) -> str:
    """What became of which seeds.

    >>> fates([Absent("b", 3, "diverged"), Absent("b", 1, "diverged"), Absent("b", 2, "no folder")])
    'seeds 1, 3 diverged, seed 2 left no run folder'
    """
    seeds: dict[str, list[str]] = {}
    for absent in sorted(absent_runs, key=lambda absent: absent.seed):
        reason = absent.why.partition("\n")[0].rstrip(".")
        status = "running, or killed" if absent.status == "running" else absent.status
        fate = FATES.get(absent.fate, f"did not finish ({status}{reason and f': {reason}'})")
        seeds.setdefault(fate, []).append(str(absent.seed))
    return ", ".join(f"seed{'s' * (len(those) > 1)} {', '.join(those)} {fate}" for fate, those in seeds.items())


def _missing_probes(comparison: Comparison) -> Iterator[str]:
    members = [member for arm in comparison.members.values() for member in arm]
    for evaluation in sorted({name for member in members for name, probe in member.probes.items() if probe.score}):
        without = [member for member in members if evaluation not in member.probes]
        names = [member.label for member in without if scored(member) or member.run.record.status == "done"]
        if names:
            yield f"No {evaluation} probe in {', '.join(names)}; `dcp probe` makes it."
        steps = {m.label: m.probes[evaluation].step for m in members if evaluation in m.probes}
        if len(set(steps.values())) > 1:
            measured = ", ".join(f"{name} at step {step}" for name, step in steps.items())
            yield f"The {evaluation} probes were taken at different points: {measured}."


def _data(comparison: Comparison) -> Iterator[str]:
    (against, first), *others = [(name, members[0]) for name, members in comparison.members.items()]
    for name, member in others:
        why = data_differ(first, member)
        if why and not share_tests(first, member):
            yield f"{name} and {against} cannot be compared in their scores: {why}."
        elif why:
            yield f"{name} and {against} were trained on different images ({why})."
        elif first.run.record.data.fingerprint != member.run.record.data.fingerprint:
            yield f"{name} and {against} were trained on different images of the same source."
    for members in comparison.members.values():
        if len({member.run.record.data.fingerprint for member in members}) > 1:
            yield f"The seeds of {members[0].run.name} were not trained on the same files."


def _images(comparison: Comparison) -> Iterator[str]:
    """What the probes say, or do not say, about the images that they used."""
    if len(comparison.arms) == 1:
        return
    members = [member for arm in comparison.members.values() for member in arm]
    older = [member.label for member in members if None in _used(member, "test").values()]
    if older:
        yield (
            f"Older probes: those of {', '.join(older)} do not say which images they were tested on. They are paired"
            " if their labels agree, which those of other images may do too; `dcp probe` measures again."
        )
    (against, first), *others = comparison.members.items()
    for name, arm in others:
        fitted = [_used(member, "train") for member in (*first, *arm)]
        evaluations = sorted({evaluation for images in fitted for evaluation in images})
        differing = [key for key in evaluations if len({images.get(key) for images in fitted} - {None}) > 1]
        if differing:
            yield f"The probes of {name} and {against} had other training images ({', '.join(differing)})."


def _used(member: Member, split: str) -> dict[str, str | None]:
    """Fingerprints of the images of each evaluation."""
    return {evaluation: images_of(probe, split) for evaluation, probe in member.probes.items()}


def _made_otherwise(comparison: Comparison) -> Iterator[str]:
    records = [member.run.record for arm in comparison.members.values() for member in arm]
    if len({(record.device, record.processes) for record in records}) > 1:
        yield "The runs were made on different devices: their speeds, times and memory are not comparable."
    for package in ("dcp", "torch"):
        versions = dict.fromkeys(str(record.versions[package]) for record in records if package in record.versions)
        if len(versions) > 1:
            yield f"The runs were made by different versions of {package}: {', '.join(versions)}."


def _left_out(comparison: Comparison) -> Iterator[str]:
    for name, why in of_other_data(comparison.members, with_readout=True).items():
        yield f"{name} is left out of the accuracy at equal time: {why}."
