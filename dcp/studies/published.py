"""What a study came to: its arms compared, and published numbers beside ours. Nothing here needs torch."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any

from dcp.comparison.compare import Comparison, compare
from dcp.comparison.missing_runs import Absent
from dcp.recipe.sections import Published
from dcp.runs.records import ProbeRecord, is_share
from dcp.runs.run import Run
from dcp.studies.study import Study


@dataclass(frozen=True)
class Beside:
    """A published number and ours, in the unit of the source: shares of test images in percent.

    Attributes:
        published: what was published; `arm` is the study's arm.
        values: of our seeds.
        mean: of them; None without any.
        spread: their standard deviation; None for fewer than two.
    """

    published: Published
    values: tuple[float, ...]
    mean: float | None
    spread: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as study.json holds them."""
        return {**asdict(self), "published": self.published.model_dump(exclude={"at"}), "values": list(self.values)}


def compared(runs: Sequence[Run], absent: Sequence[Absent]) -> Comparison | None:
    """The runs of a study that are done, by arm, and which others it has; None for fewer than two that are done."""
    return compare(runs, absent) if len(runs) > 1 else None


def beside(study: Study, runs: Sequence[Run]) -> list[Beside]:
    """Published numbers with ours beside them, in the order of the study's file.

    Args:
        study: whose `published` are taken.
        runs: those of the study that are done, with its settings.
    """
    names = {arm.name: arm.recipe.run.name for arm in study.arms}
    return [_beside(one, [run for run in runs if run.name == names[one.arm]]) for one in study.published]


def _beside(published: Published, runs: Sequence[Run]) -> Beside:
    evaluation, _, score = published.score.partition(".")
    unit = 100 if is_share(score) else 1
    found = [_value(run.probes().get(evaluation, ProbeRecord()), score) for run in runs]
    values = tuple(unit * value for value in found if value is not None)
    spread = stdev(values) if len(values) > 1 else None
    return Beside(published, values, fmean(values) if values else None, spread)


def _value(probe: ProbeRecord, score: str) -> float | None:
    """A score, or one that a probe only tells beside its scores, as the best epoch on the test images."""
    for part in (probe.score, probe.extra):
        value = part.get(score)
        if isinstance(value, int | float):
            return float(value)
    return None
