"""What the pictures are made from: the runs of each arm, their curves and their probes, each file read once."""

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dcp.comparison.compare import Comparison
from dcp.report.comparison_page import letter
from dcp.runs.json_files import Json
from dcp.runs.records import ProbeRecord
from dcp.runs.run import Run

if TYPE_CHECKING:
    from numpy.typing import NDArray


def number(value: object) -> float | None:
    """The value, if it is a number."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


@dataclass(frozen=True)
class Told:
    """One run, and what its folder says."""

    run: Run

    @cached_property
    def lines(self) -> dict[str, list[Json]]:
        """Of metrics.jsonl, by kind; of each kind those that say at which step they are."""
        by_kind: dict[str, list[Json]] = defaultdict(list)
        for line in self.run.metrics():
            if "step" in line:
                by_kind[str(line.get("kind"))].append(line)
        return by_kind

    @cached_property
    def epoch_length(self) -> float | None:
        """Steps of an epoch; None where neither a finished epoch nor run.json with the recipe says so."""
        ends = self.lines["epoch"]
        if ends and (epoch := number(ends[-1].get("epoch"))) is not None:
            return (int(ends[-1]["step"]) + 1) / (epoch + 1)
        train = self.run.recipe().get("train")
        epochs = number(train.get("epochs")) if isinstance(train, dict) else None
        steps = self.run.record.steps
        return steps / epochs if steps and epochs else None

    @cached_property
    def probes(self) -> dict[str, ProbeRecord]:
        """Scores by evaluation."""
        return self.run.probes()

    def extra(self, evaluation: str) -> Json:
        """What a probe found besides its scores; empty without the probe."""
        return self.probes.get(evaluation, ProbeRecord()).extra

    def arrays(self, evaluation: str) -> "dict[str, NDArray[Any]]":
        """Of a probe; empty without any."""
        return self.run.predictions(evaluation) or {} if evaluation in self.probes else {}

    @property
    def classes(self) -> list[str]:
        """Names of the classes, where the pictures say them."""
        names = self.extra("pictures").get("classes")
        return list(map(str, names)) if isinstance(names, list) else []

    @property
    def folder(self) -> str:
        """Name of the run folder."""
        return self.run.path.resolve().name


@dataclass(frozen=True)
class Source:
    """One arm.

    Attributes:
        style: its colour and dashes.
        letter: how the page calls it; "" where it is alone.
        name: of its recipe.
        runs: one a seed.
    """

    style: int
    letter: str
    name: str
    runs: tuple[Told, ...]

    @property
    def label(self) -> str:
        """Letter and name."""
        return f"{self.letter} {self.name}".strip()


def of_comparison(comparison: Comparison) -> list[Source]:
    """The arms of a comparison, with the letters of its page.

    Raises:
        RequestError: a run folder can no longer be read.
    """
    return [
        Source(i, letter(i), arm.name, tuple(Told(Run.open(path)) for path in arm.runs))
        for i, arm in enumerate(comparison.arms)
    ]


def of_run(run: Run) -> list[Source]:
    """A single run."""
    return [Source(0, "", run.path.resolve().name, (Told(run),))]
