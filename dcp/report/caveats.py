"""What a comparison says besides its numbers, in whole sentences: what the intervals cover, and what needs care."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from dcp.comparison.arms import Member, Members
from dcp.comparison.comparable import data_differ, images_of, share_tests, way_out
from dcp.comparison.compare import Comparison
from dcp.comparison.equal_time import has_readout, of_other_data
from dcp.comparison.missing_runs import Absent, scored, unfinished
from dcp.comparison.primary import named
from dcp.comparison.scores import is_by_layer
from dcp.comparison.significance import IMAGES, SEEDS, SEEDS_AND_IMAGES
from dcp.report.page import listed

PAIRED = "Seeds are paired where both arms have the same ones, and a seed gives both the same images in one order."
EFFECT = "Effect: Hedges' g, the difference divided by the std between seeds (paired: by that of their differences)."
TIMED = (
    "Accuracies at equal time are those of online probes, on training views: they show how fast an arm learns, not what"
    " it reaches."
)
FEW = 3  # runs that are named; of more only the number is told
UNFINISHED = {
    "running": "it is running",
    "killed": 'it was killed, as its status says "running" but no process writes to it',
    "failed": "it failed",
    "interrupted": "it was interrupted",
}
FATES = {
    "diverged": "diverged",
    "no folder": "left no run folder",
    "unreadable": "cannot be read",
    "no encoder": "lost the encoder",
    "busy": "had not been measured yet, because another process is doing it",
}


def covers(comparison: Comparison) -> tuple[str, ...]:
    """What intervals and tests are taken over, and what they leave out."""
    return (*_of_intervals(comparison), *_of_tests(comparison), *([TIMED] if comparison.equal_time else []))


def _of_intervals(comparison: Comparison) -> Iterator[str]:
    methods = {difference.method for row in comparison.scores for difference in row.differences}
    if len(comparison.arms) == 1:
        yield "All runs are seeds of one recipe, so there is nothing to compare it with."
    if methods & {*IMAGES}:
        yield (
            "Differences between single seeds have intervals over test images: how much they could change with other"
            " images of the same kind. How much retraining would change them is not included; for that, train several"
            " seeds (--seeds 0-4)."
        )
    if methods & {*SEEDS_AND_IMAGES}:
        yield (
            "Differences between several seeds have intervals over seeds and test images: how much they could"
            " change with retrained encoders and other test images of the same kind."
        )
    if methods & {*SEEDS}:
        which = " of scores without predictions per image" if methods & {*SEEDS_AND_IMAGES} else ""
        yield (
            f"Differences between several seeds{which} have intervals over seeds: how much they could change with"
            " retrained encoders, on the same test images."
        )
    if methods & {SEEDS.paired, SEEDS_AND_IMAGES.paired}:
        yield PAIRED
    two_seeds = [arm for arm in comparison.members.values() if len(arm) == 2]
    if any(a.probes.keys() & b.probes.keys() for a, b in two_seeds):
        yield "With 2 seeds intervals are wide, and there is no verdict; train more (--seeds 0-4)."
    if methods & {SEEDS.one, SEEDS_AND_IMAGES.one}:
        yield "Where an arm has one seed, its variance is taken from the seeds of the other arm."


def _of_tests(comparison: Comparison) -> Iterator[str]:
    differences = [difference for row in comparison.scores for difference in row.differences]
    tested = [each for each in comparison.primary.differences if each.p_holm is not None] if comparison.primary else []
    if tested:
        several = len(comparison.arms) > 2
        holm = (
            f" Holm p: corrected for the number of tests of the primary score ({len(tested)}), one for each arm but A."
        )
        yield (
            f"p: how often a difference at least this large would be seen if there were none.{holm * several} A verdict"
            f" needs an interval that excludes 0 and a {'Holm ' * several}p of at most 0.05."
        )
    secondary = [each for row in comparison.scores if row.role == "secondary" for each in row.differences]
    if any(difference.p is not None for difference in secondary):
        yield (
            "p-values of secondary scores are not corrected: among so many, some are small by chance. They give no"
            " verdict."
        )
    described = list(dict.fromkeys(row.evaluation for row in comparison.scores if row.role == "descriptive"))
    by_layer = [name for name in described if is_by_layer(name)]
    if (others := [name for name in described if name not in by_layer]) and differences:
        yield f"Scores of {listed(others)} describe the features; higher is not better, so there is no test."
    if by_layer and differences:
        yield f"Scores of {listed(by_layer)} say at which layer classes can be told apart; there is no test."
    if any(difference.effect is not None for difference in differences):
        yield EFFECT
    if any(difference.seeds_needed is not None for difference in differences):
        yield (
            "Seeds needed: per arm, to show this difference with 80 % power at the 5 % level, if the true difference"
            " and std are the observed ones. A rough guide."
        )


def caveats(comparison: Comparison) -> tuple[str, ...]:
    """What cannot be compared, or only with care."""
    arms = comparison.members
    members = [member for arm in arms.values() for member in arm]
    left_out = (
        f"{name} is left out of the accuracy at equal time: {why}."
        for name, why in of_other_data(arms).items()
        if any(map(has_readout, arms[name]))
    )
    return (
        *_survivors(comparison),
        *_primary_scores(arms),
        *_missing_probes(members),
        *_training_data(arms),
        *_images_of_probes(arms),
        *_made_otherwise(members),
        *left_out,
    )


def _survivors(comparison: Comparison) -> Iterator[str]:
    """Which runs did not finish, and whose scores are those of the others only."""
    members = [(name, member) for name, arm in comparison.members.items() for member in arm]
    ended = [(member, end) for name, member in members if (end := unfinished(name, member.run))]
    by_arm: dict[str, list[Absent]] = defaultdict(list)
    for absent in (*(end for member, end in ended if not scored(member)), *comparison.absent):
        by_arm[absent.arm].append(absent)
    with_scores = {name for arm, member in members if scored(member) for name in (arm, member.run.name)}
    for name, absent_runs in by_arm.items():
        if name in with_scores:
            yield f"{name}, {fates(absent_runs)}; {name}'s scores are those of its other seeds."
        else:
            yield f"{name} has no scores, because none of its runs finished: {fates(absent_runs)}."
    for member, end in ended:
        if scored(member):
            state, why = UNFINISHED.get(end.status, f"its status is {end.status}"), end.why.rstrip(".")
            yield f"{member.label} is not finished: {state}{why and f' ({why})'}."


def fates(absent_runs: Sequence[Absent]) -> str:
    """What became of which seeds.

    >>> fates([Absent("b", 3, "diverged"), Absent("b", 1, "diverged"), Absent("b", 2, "no folder")])
    'seeds 1, 3 diverged, seed 2 left no run folder'
    """
    seeds: dict[str, list[str]] = defaultdict(list)
    for absent in sorted(absent_runs, key=lambda absent: absent.seed):
        reason = absent.why.partition("\n")[0].rstrip(".")
        seeds[FATES.get(absent.fate, f"did not finish ({absent.status}{reason and f': {reason}'})")].append(
            str(absent.seed)
        )
    return ", ".join(f"seed{'s' * (len(those) > 1)} {', '.join(those)} {fate}" for fate, those in seeds.items())


def _primary_scores(arms: Members) -> Iterator[str]:
    if len(names := named(arms)) > 1:
        yield f"The recipes have different primary scores ({', '.join(names)}); {names[0]} is taken."


def _missing_probes(members: Sequence[Member]) -> Iterator[str]:
    for evaluation in sorted({name for member in members for name, probe in member.probes.items() if probe.score}):
        without = [member for member in members if evaluation not in member.probes]
        names = [member.label for member in without if scored(member) or member.run.record.status == "done"]
        if names:
            yield f"No {evaluation} probe in {', '.join(names)}; dcp probe RUN -e {evaluation} measures it."
        at: dict[int | None, list[str]] = defaultdict(list)
        for member in members:
            if evaluation in member.probes:
                at[member.probes[evaluation].step].append(member.label)
        if len(at) > 1:
            points = [f"{', '.join(r) if len(r) <= FEW else f'{len(r)} runs'} at step {step}" for step, r in at.items()]
            yield f"The {evaluation} probes were taken at different points: {', '.join(points)}."


def _training_data(arms: Members) -> Iterator[str]:
    (against, first), *others = [(name, members[0]) for name, members in arms.items()]
    for name, member in others:
        why = data_differ(first, member)
        if why and not share_tests(first, member):
            yield f"{name} and {against} cannot be compared in their scores: {why}. {way_out(first, member)}".rstrip()
        elif why:
            yield f"{name} and {against} were trained on different images ({why})."
        elif first.run.record.data.fingerprint != member.run.record.data.fingerprint:
            yield f"{name} and {against} were trained on different images of the same source."
    for members in arms.values():
        if len({member.run.record.data.fingerprint for member in members}) > 1:
            yield f"The seeds of {members[0].run.name} were not trained on the same files."


def _images_of_probes(arms: Members) -> Iterator[str]:
    """What the probes of several arms say, or do not say, about the images that they used."""
    (against, first), *others = arms.items()
    members = [member for arm in arms.values() for member in arm]
    older = [member.label for member in members if None in [images_of(p, "test") for p in member.probes.values()]]
    if older and others:
        yield (
            f"Older probes: those of {', '.join(older)} do not say which images they were tested on. They are paired"
            " if their labels agree, as those of other images may, too; dcp probe measures again."
        )
    for name, arm in others:
        fitted: dict[str, set[str | None]] = defaultdict(set)  # fingerprints by evaluation
        for evaluation, probe in (item for member in (*first, *arm) for item in member.probes.items()):
            fitted[evaluation].add(images_of(probe, "train"))
        if differing := sorted(evaluation for evaluation, images in fitted.items() if len(images - {None}) > 1):
            yield f"The probes of {name} and {against} were fitted to different images ({', '.join(differing)})."


def _made_otherwise(members: Sequence[Member]) -> Iterator[str]:
    records = [member.run.record for member in members]
    if len({(record.device, record.processes) for record in records}) > 1:
        yield "The runs were made on different devices: their speeds, times and memory are not comparable."
    for package in ("dcp", "torch"):
        versions = dict.fromkeys(str(record.versions[package]) for record in records if package in record.versions)
        if len(versions) > 1:
            yield f"The runs were made by different versions of {package}: {', '.join(versions)}."
