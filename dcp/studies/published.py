"""Published numbers and our reproductions of them. Nothing here needs torch."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any

from dcp.recipe.sections import Published
from dcp.runs.records import is_share
from dcp.runs.run import Run
from dcp.studies.study import Study


@dataclass(frozen=True)
class Reproduction:
    """A published number and ours, in the unit of the source: shares of test images in percent."""

    published: Published  # what was published; `arm` is the study's arm
    values: tuple[float, ...]  # of our seeds
    mean: float | None  # of them; None without any
    spread: float | None  # their standard deviation; None for fewer than two

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as study.json holds them."""
        return {**asdict(self), "published": self.published.model_dump(exclude={"at"}), "values": list(self.values)}


def reproductions(study: Study, runs: Sequence[Run]) -> list[Reproduction]:
    """Published numbers and ours, in the order of the study's file.

    Args:
        study: whose `published` are taken.
        runs: those of the study that are done, with its settings.
    """
    names = {arm.name: arm.recipe.run.name for arm in study.arms}
    pairs = []
    for published in study.published:
        evaluation, _, score = published.score.partition(".")
        unit, values = 100 if is_share(score) else 1, []
        for run in runs:
            probe = run.probes().get(evaluation) if run.name == names[published.arm] else None
            # some scores are only told beside the others, as that of the epoch that is best on the test images
            parts = (probe.score, probe.extra) if probe else ()
            scores = [value for part in parts if isinstance(value := part.get(score), int | float)]
            values += [unit * float(value) for value in scores[:1]]
        mean, spread = fmean(values) if values else None, stdev(values) if len(values) > 1 else None
        pairs.append(Reproduction(published, tuple(values), mean, spread))
    return pairs
