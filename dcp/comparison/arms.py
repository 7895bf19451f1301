"""Arms of a comparison: runs of one recipe that differ in nothing but the seed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from dcp.runs.records import ProbeRecord
from dcp.runs.run import Run

# Keys, or what they begin with, that decide no step of training: where data lie, what is said, what is measured
# afterwards. Probes are compared by their own settings.
FREE = (
    "run.tracker",
    "data.root",
    "data.download",
    "data.broken",
    "train.log_every",
    "train.save_every",
    "train.workers",
    "train.readout",
    "train.graph",
    "train.threads",
    "probe.",
)

# Keys that recipes of older versions lack, with what holds for them.
LATER: Mapping[str, Any] = {"network.weights": "", "data.channels": 3}


@dataclass(frozen=True)
class Member:
    """A run and what of its folder a comparison reads."""

    run: Run
    settings: dict[str, Any]  # its recipe by dotted key, without the table [run]
    probes: dict[str, ProbeRecord]  # scores by evaluation

    @classmethod
    def of(cls, run: Run) -> "Member":
        """Read what a comparison needs of `run`."""
        settings = {key: value for key, value in flatten(run.recipe()) if not key.startswith("run.")}
        return cls(run, {**LATER, **settings}, run.probes())

    @property
    def asked(self) -> dict[str, Any]:
        """The settings that decide a step of training."""
        return {key: value for key, value in self.settings.items() if not key.startswith(FREE)}

    @property
    def label(self) -> str:
        """Name of the folder."""
        return self.run.path.name or self.run.path.resolve().name


Members = Mapping[str, Sequence[Member]]  # by name of their arm, in the order of their seeds


@dataclass(frozen=True)
class Cost:
    """What the runs of an arm took, each a mean over its seeds; None where no run says."""

    images_per_s: float | None  # images, not views, through a training step
    wall_s: float | None  # seconds from start to end
    peak_memory_bytes: float | None  # of the accelerator, or of the process on a CPU
    steps: float | None  # optimizer steps
    device: str  # as the runs name it; several if the seeds differ
    processes: str  # that trained together
    flops: float | None = None  # of all its steps, a multiplication and an addition counted as two


@dataclass(frozen=True)
class State:
    """Whether a run collapsed, and what shows it."""

    run: str
    name: str
    evidence: str


@dataclass(frozen=True)
class Arm:
    """One recipe with all of its seeds."""

    name: str
    runs: tuple[str, ...]
    seeds: tuple[int, ...]
    statuses: tuple[str, ...]
    states: tuple[State, ...]
    cost: Cost


def flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested tables by dotted key, in order.

    >>> dict(flatten({"a": {"b": 1, "c": [2, 3]}}))
    {'a.b': 1, 'a.c': [2, 3]}
    """
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def group(members: Iterable[Member]) -> dict[str, list[Member]]:
    """Arms by name, in the order of their first run: same `run.name`, same settings, every seed once.

    A seed that comes again (the same recipe run elsewhere, or by another version of dcp) opens a further arm.
    """
    arms: list[list[Member]] = []
    for member in members:
        for arm in arms:
            same = (arm[0].run.name, arm[0].asked) == (member.run.name, member.asked)
            if same and member.run.seed not in {other.run.seed for other in arm}:
                arm.append(member)
                break
        else:
            arms.append([member])
    ordered = [sorted(arm, key=lambda member: member.run.seed) for arm in arms]
    return dict(zip(_names(ordered), ordered, strict=True))


def describe(name: str, members: Sequence[Member]) -> Arm:
    """What is known of an arm besides its scores."""
    records = [member.run.record for member in members]
    return Arm(
        name=name,
        runs=tuple(str(member.run.path) for member in members),
        seeds=tuple(member.run.seed for member in members),
        statuses=tuple(member.run.status for member in members),
        states=tuple(
            State(member.label, record.state.name or "unknown", record.state.evidence.rstrip("."))
            for member, record in zip(members, records, strict=True)
        ),
        cost=Cost(
            images_per_s=mean(record.images_per_s for record in records),
            wall_s=mean(record.wall_s for record in records),
            peak_memory_bytes=mean(record.peak_memory_bytes for record in records),
            steps=mean(record.steps for record in records),
            device=", ".join(dict.fromkeys(record.device for record in records if record.device)),
            processes=", ".join(dict.fromkeys(str(r.processes) for r in records if r.processes is not None)),
            flops=mean(
                record.flops_per_image * record.images_seen
                for record in records
                if record.flops_per_image is not None and record.images_seen is not None
            ),
        ),
    )


def _names(arms: Sequence[Sequence[Member]]) -> list[str]:
    """Recipe names; where two arms share one, with their folder; where they share that too, with a number."""
    names = [arm[0].run.name for arm in arms]
    with_folder = [f"{arm[0].run.path.resolve().parent.name}/{name}" for arm, name in zip(arms, names, strict=True)]
    names = [other if names.count(name) > 1 else name for name, other in zip(names, with_folder, strict=True)]
    return [f"{name} #{names[: i + 1].count(name)}" if names.count(name) > 1 else name for i, name in enumerate(names)]


def mean(values: Iterable[float | None]) -> float | None:
    """Of those that are known; None without any."""
    known = [float(value) for value in values if value is not None]
    return fmean(known) if known else None
