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

NO_PICTURES = "no run has been probed for pictures (dcp probe RUN -e pictures)"
PICTURES = {
    *("map_xy", "map_row", "map_label", "map_image", "query_row", "query_label", "query_image", "near_row"),
    *("near_label", "near_similarity", "near_image", "viewed_row", "viewed_image", "viewed_views"),
}


def number(value: object) -> float | None:
    """The value, if it is a number."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


@dataclass(frozen=True)
class RunFiles:
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

    def class_name(self, label: int) -> str:
        """The name of a class where the pictures say it, else its number; "" for an image without a label."""
        names = self.extra("pictures").get("classes")
        if label < 0:
            return ""
        return str(names[label]) if isinstance(names, list) and label < len(names) else f"class {label}"

    @property
    def folder(self) -> str:
        """Name of the run folder."""
        return self.run.path.resolve().name


@dataclass(frozen=True)
class ArmFiles:
    """One arm, and what the folders of its runs say."""

    style: int  # colour and dashes
    letter: str  # how the page calls it; "" where it is alone
    name: str  # of its recipe
    runs: tuple[RunFiles, ...]  # one a seed

    @property
    def label(self) -> str:
        """Letter and name."""
        return f"{self.letter} {self.name}".strip()

    def pictures(self) -> "tuple[RunFiles, dict[str, NDArray[Any]]] | None":
        """The first run that has been probed for pictures, and their arrays."""
        probed = ((files, files.arrays("pictures")) for files in self.runs)
        return next(((files, arrays) for files, arrays in probed if arrays.keys() >= PICTURES), None)


def of_comparison(comparison: Comparison) -> list[ArmFiles]:
    """The arms of a comparison, with the letters of its page.

    Raises:
        RequestError: a run folder can no longer be read.
    """
    return [
        ArmFiles(i, letter(i), arm.name, tuple(RunFiles(Run.open(path)) for path in arm.runs))
        for i, arm in enumerate(comparison.arms)
    ]


def of_run(run: Run) -> list[ArmFiles]:
    """A single run."""
    return [ArmFiles(0, "", run.path.resolve().name, (RunFiles(run),))]
