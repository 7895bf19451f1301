"""What a diagnosis rests on: the lines of a run, and the numbers taken from them."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from statistics import fmean
from typing import Any, TypeAlias

Line: TypeAlias = Mapping[str, Any]
Settings: TypeAlias = Mapping[str, Any]
Facts: TypeAlias = Mapping[str, bool]
RECENT = 10  # step lines that count as "now"
MEASURED = ("spread", "effective_rank", "invariance", "norm", "dead")  # in every step line and examination
FAST = 0.05  # change of the weights in one step, by their size: more is too much
LATE, LEAST = 0.5, 100  # of the training, and steps


def facts_of(recipe: Any) -> Facts:
    """What the variants of a recipe say of themselves, by dotted key, e.g. "objective.keeps_apart"."""
    chosen = {section: getattr(recipe, section) for section in ("predictor", "objective", "target")}
    return {f"{section}.{name}": value for section in chosen for name, value in chosen[section].facts().items()}


@dataclass(frozen=True)
class Diagnosis:
    """What a training is found to be."""

    name: str  # of the state
    evidence: str  # the numbers that show it, in a phrase
    cause: str = ""  # what probably brought it about, in a phrase; "" where nothing points to one
    advice: str = ""  # the next thing to try; "" where nothing needs to be done

    def because(self, cause: str, advice: str) -> "Diagnosis":
        """The same with a cause, and what to do about it."""
        return replace(self, cause=cause, advice=advice)

    def plain(self) -> dict[str, str]:
        """As run.json has it."""
        return asdict(self)


class History:
    """What a diagnosis needs of the lines that a run has written: the last few, and the examinations."""

    def __init__(self, lines: Iterable[Line] = ()) -> None:
        self.recent: list[Line] = []
        self.examinations: list[Line] = []
        for line in lines:
            self.add(line)

    def add(self, line: Line) -> None:
        """Take in the next line."""
        values = [line.get(name) for name in MEASURED]
        if not all(isinstance(value, (int, float)) and math.isfinite(value) for value in values):
            return  # of an older dcp, or of a step that diverged
        if line["kind"] == "spectrum":
            self.examinations.append(line)
        if line["kind"] == "step":
            self.recent = [*self.recent[1 - RECENT :], line]


@dataclass(frozen=True)
class Signs:
    """The numbers that the states are told by; see `dcp.training.diagnostics` for what each is."""

    untrained: Line  # the examination of the first step: projections are those of the network before training
    last: Line  # the latest examination
    settings: Settings  # the recipe by dotted key
    facts: Facts  # what its variants say of themselves, by dotted key
    spread: float  # this and the next four: means over the last step lines
    effective_rank: float
    invariance: float
    norm: float
    dead: float
    fastest: float  # change of the weights in one step, by their size: the third largest, so that one leap is none
    late: bool  # half of the training and a hundred steps are done, so that views should have become alike

    @classmethod
    def of(cls, history: History, settings: Settings, facts: Facts) -> "Signs":
        """From a history with an examination."""
        untrained, last = history.examinations[0], history.examinations[-1]
        recent = history.recent or [last]
        means = {name: fmean(line[name] for line in recent) for name in MEASURED}
        fastest = sorted([0.0, 0.0, *(float(line["update"]) for line in history.examinations)])[-3]
        late = bool(last.get("done", 1.0) >= LATE and last.get("step", 0) >= LEAST)
        return cls(untrained, last, settings, facts, **means, fastest=fastest, late=late)

    def setting(self, key: str) -> Any:
        """The value of a key of the recipe; None where it has none."""
        return self.settings.get(key)

    def fact(self, key: str) -> bool:
        """What a variant says of itself; false in a run of an older dcp, which noted no facts."""
        return self.facts.get(key, False)

    @property
    def starts_trained(self) -> bool:
        """Whether the backbone began with weights: views may be alike to it from the first step on."""
        return bool(self.setting("network.weights"))

    @property
    def beginning(self) -> str:
        """What the network of the first step is called."""
        return "the network before training" if self.starts_trained else "the untrained network"

    @property
    def kept_apart(self) -> bool:
        """Whether images are kept apart by the objective, or by a target that does not follow."""
        return self.fact("objective.keeps_apart") or self.fact("target.given")

    @property
    def evenness(self) -> float | None:
        """How near W is to a multiple of the identity: smallest by largest eigenvalue; None without W."""
        eigenvalues = self.last.get("W")
        if not eigenvalues or not eigenvalues[0] > 0:
            return None
        return max(0.0, float(eigenvalues[-1])) / float(eigenvalues[0])
