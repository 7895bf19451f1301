"""Accuracy at equal time: how far each arm is after as long as all of them have trained.

Read from the epoch lines of metrics.jsonl: readouts of the encoder while it trains (`online_...`, shares in [0, 1])
beside the seconds of training so far. Arms that learned other images than the first have no part in it: their shares
are of other images, perhaps of other classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from dcp.comparison.arms import Member, Members
from dcp.comparison.comparable import data_differ
from dcp.runs.json_files import Json

READOUTS = ("online_knn", "online_linear")
Lines = list[tuple[int, list[Json]]]  # seeds with their epoch lines


@dataclass(frozen=True)
class ArmAtTime:
    """One readout of one arm.

    Attributes:
        arm: its name.
        seeds: those that have the readout by then.
        values: the last one of each at or before the time; shares.
        mean: over the seeds; None if no seed has it.
        deviation: standard deviation between seeds; None for fewer than two.
    """

    arm: str
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    mean: float | None
    deviation: float | None


@dataclass(frozen=True)
class EqualTime:
    """One readout of all arms after the same time.

    Attributes:
        readout: its name in metrics.jsonl.
        wall_s: seconds of training: the most that every run with this readout has reached.
        arms: in their order.
    """

    readout: str
    wall_s: float
    arms: tuple[ArmAtTime, ...]


def at_equal_time(arms: Members) -> tuple[EqualTime, ...]:
    """The readouts that runs of at least two arms have, of the arms that learned the data of the first."""
    others = of_other_data(arms)
    lines = {name: _lines(members) for name, members in arms.items() if name not in others}
    found = (_readout(lines, readout) for readout in READOUTS)
    return tuple(one for one in found if one is not None)


def of_other_data(arms: Members, *, with_readout: bool = False) -> dict[str, str]:
    """Which arms did not learn the data of the first, and how theirs differ; all, or those that have a readout."""
    (_, first), *others = arms.items()
    differing = {name: why for name, members in others if (why := data_differ(first[0], members[0]))}
    if not with_readout:
        return differing
    entries = {name: [entry for _, entries in _lines(arms[name]) for entry in entries] for name in differing}
    return {name: differing[name] for name in differing if any(_course(entries[name], key) for key in READOUTS)}


def _lines(members: Sequence[Member]) -> Lines:
    return [(one.run.seed, one.run.metrics("epoch")) for one in members]


def _readout(lines: Mapping[str, Lines], readout: str) -> EqualTime | None:
    courses = {name: [(seed, _course(of_seed, readout)) for seed, of_seed in runs] for name, runs in lines.items()}
    known = {name: [(seed, course) for seed, course in runs if course] for name, runs in courses.items()}
    if sum(map(bool, known.values())) < 2:
        return None
    until = min(course[-1][0] for runs in known.values() for _, course in runs)
    return EqualTime(readout, until, tuple(_arm(name, runs, until) for name, runs in known.items()))


def _course(lines: Sequence[Json], readout: str) -> list[tuple[float, float]]:
    """(seconds, value) of the lines that have both, in the order of training."""
    both = [(line.get("wall_s"), line.get(readout)) for line in lines]
    return [(wall_s, value) for wall_s, value in both if wall_s is not None and value is not None]


def _arm(name: str, runs: Sequence[tuple[int, list[tuple[float, float]]]], until: float) -> ArmAtTime:
    last = [(seed, [value for wall_s, value in course if wall_s <= until]) for seed, course in runs]
    seeds, values = [seed for seed, found in last if found], [found[-1] for _, found in last if found]
    return ArmAtTime(
        arm=name,
        seeds=tuple(seeds),
        values=tuple(values),
        mean=fmean(values) if values else None,
        deviation=stdev(values) if len(values) > 1 else None,
    )
