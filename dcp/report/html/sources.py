"""What the pictures are made from: the runs of each arm, their curves and their probes, each file read once."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dcp.comparison import Comparison
from dcp.report.comparison_page import letter
from dcp.run import Run
from dcp.run.records import Json

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Told:
    """One run, and what its folder says."""

    run: Run

    @cached_property
    def lines(self) -> list[Json]:
        """Of metrics.jsonl."""
        return self.run.metrics()

    @cached_property
    def probes(self) -> dict[str, Json]:
        """Scores by evaluation."""
        return self.run.probes()

    def extra(self, evaluation: str) -> Json:
        """What a probe found besides its scores; empty without the probe."""
        return dict(self.probes.get(evaluation, {}).get("extra") or {})

    def arrays(self, evaluation: str) -> "dict[str, NDArray[Any]]":
        """Of a probe; empty without any."""
        return self.run.predictions(evaluation) or {} if evaluation in self.probes else {}

    @property
    def classes(self) -> list[str]:
        """Names of the classes, where the pictures say them."""
        return [str(name) for name in self.extra("pictures").get("classes") or []]

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
