"""Accuracy at equal time: how far each arm is after as long as all of them have trained.

Read from the epoch lines of metrics.jsonl: readouts of the encoder while it trains (`online_...`, shares in [0, 1])
beside the seconds of training so far. Arms that learned other images than the first have no part in it: their shares
are of other images, perhaps of other classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import stdev

from dcp.comparison.arms import Member, Members, mean
from dcp.comparison.comparable import data_differ
from dcp.runs.json_files import Json

READOUTS = ("online_knn", "online_linear")


@dataclass(frozen=True)
class ArmAtTime:
    """One readout of one arm."""

    arm: str  # its name
    seeds: tuple[int, ...]  # those that have the readout by then
    values: tuple[float, ...]  # the last one of each at or before the time; shares
    mean: float | None  # over the seeds; None if no seed has it
    deviation: float | None  # standard deviation between seeds; None for fewer than two


@dataclass(frozen=True)
class EqualTime:
    """One readout of all arms after the same time."""

    readout: str  # its name in metrics.jsonl
    wall_s: float  # seconds of training: the most that every run with this readout has reached
    arms: tuple[ArmAtTime, ...]  # in their order


def at_equal_time(arms: Members) -> tuple[EqualTime, ...]:
    """The readouts that runs of at least two arms have, of the arms that learned the data of the first."""
    others = of_other_data(arms)
    lines = {
        name: [(member.run.seed, member.run.metrics("epoch")) for member in members]
        for name, members in arms.items()
        if name not in others
    }
    readouts = []
    for readout in READOUTS:
        courses = {name: [(seed, course(entries, readout)) for seed, entries in runs] for name, runs in lines.items()}
        courses = {name: [(seed, points) for seed, points in runs if points] for name, runs in courses.items()}
        if sum(map(bool, courses.values())) >= 2:
            until = min(points[-1][0] for runs in courses.values() for _, points in runs)
            readouts.append(EqualTime(readout, until, tuple(_arm(name, runs, until) for name, runs in courses.items())))
    return tuple(readouts)


def of_other_data(arms: Members) -> dict[str, str]:
    """Which arms did not learn the data of the first, and how theirs differ."""
    (_, first), *others = arms.items()
    return {name: why for name, members in others if (why := data_differ(first[0], members[0]))}


def has_readout(member: Member) -> bool:
    """Whether a run has any of `READOUTS`."""
    entries = member.run.metrics("epoch")
    return any(course(entries, readout) for readout in READOUTS)


def course(entries: Sequence[Json], readout: str) -> list[tuple[float, float]]:
    """(seconds, value) of the epoch lines that have both, in the order of training."""
    points = [(entry.get("wall_s"), entry.get(readout)) for entry in entries]
    return [(wall_s, value) for wall_s, value in points if wall_s is not None and value is not None]


def _arm(name: str, runs: Sequence[tuple[int, list[tuple[float, float]]]], until: float) -> ArmAtTime:
    reached = {seed: [value for wall_s, value in points if wall_s <= until] for seed, points in runs}
    last = {seed: values[-1] for seed, values in reached.items() if values}
    values = tuple(last.values())
    deviation = stdev(values) if len(values) > 1 else None
    return ArmAtTime(name, tuple(last), values, mean(values), deviation)
