"""The runs of a study, and what their folders say: which are done, which can go on, which are busy."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dcp import catalogue
from dcp.comparison.missing_runs import diverged
from dcp.errors import RequestError, RunBusy
from dcp.recipe.recipe import Recipe
from dcp.runs import encoder, roots
from dcp.runs.run import Run
from dcp.studies.study import Arm, Study
from dcp.studies.validate import ArmProblems
from dcp.training import resume

State = Literal["new", "stopped", "busy", "diverged", "unmeasured", "done"]
LEFT: tuple[State, ...] = ("new", "stopped")  # there are steps to train


@dataclass(frozen=True)
class Cell:
    """One run of a study: an arm with a seed."""

    arm: Arm
    seed: int

    @property
    def recipe(self) -> Recipe:
        """Of this run."""
        return self.arm.recipe.with_seed(self.seed)

    def path(self, runs: Path) -> Path:
        """Its run folder."""
        return runs / self.recipe.folder


def cells(study: Study) -> list[Cell]:
    """All runs of a study: each seed of all arms before the next, so that what is there early compares all arms."""
    return [Cell(arm, seed) for seed in study.seeds for arm in study.arms]


def state(cell: Cell, runs: Path) -> State:
    """What is left to do for a run.

    Returns:
        "new": nothing is there; "stopped": it can go on; "busy": another process holds it; "diverged": it would again;
        "unmeasured": trained, and a probe of its recipe is missing that its images allow; "done".

    Raises:
        RequestError: "recipe-differs", or the folder is no run.
    """
    try:
        run = resume.existing(cell.path(runs), cell.recipe, resume=True)
    except RunBusy:
        return "busy"
    if run is None:
        return "new"
    if run.record.status == "done" and (run.path / encoder.FILE).is_file():
        return "unmeasured" if _missing(run, cell.recipe) else "done"
    # the same steps would follow: on a CPU bit by bit, on a GPU nearly so
    return "diverged" if diverged(run) else "stopped"


def states(study: Study, runs: Path, some: Sequence[Cell] | None = None) -> dict[Cell, State]:
    """What is left to do for each run of a study, or for some of them.

    Raises:
        Problems: folders that cannot be gone on with, all of them.
    """
    found: dict[Cell, State] = {}
    problems = ArmProblems(study.source, [arm.name for arm in study.arms])
    for cell in cells(study) if some is None else some:
        with problems.noted(cell.arm.name):
            found[cell] = state(cell, runs)
    problems.raise_all()
    return found


def waiting(study: Study, runs: Path) -> list[Cell]:
    """The runs of a study that are neither measured nor beyond help: these are to be trained, or are being trained."""

    def is_waiting(cell: Cell) -> bool:
        try:
            return state(cell, runs) not in ("done", "diverged")
        except RequestError:
            return True

    return [cell for cell in cells(study) if is_waiting(cell)]


def _missing(run: Run, recipe: Recipe) -> set[str]:
    """Probes that the recipe asks for and the run has not, without those for which its images would need labels."""
    missing = set(recipe.probe.wanted) - run.probes().keys()
    if missing:
        recipe = roots.anchored(recipe, run)
    if not missing or (recipe.probe.data or recipe.data).labelled():
        return missing
    return {name for name in missing - {"layers"} if not catalogue.load("evaluations", name).labels}
