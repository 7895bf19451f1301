"""Doing a study: every run that is not done, in any order; what was stopped goes on, and what fails stops no other."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from dcp.errors import DcpError, RequestError, RunError
from dcp.runs.run import Run
from dcp.studies.grid import Cell, State, state
from dcp.training.request import Say

BUSY = ("run-busy", "run-exists")  # another process has it, or has just made its folder


@dataclass
class Outcome:
    """What came of the runs of a study, as paths of run folders.

    Attributes:
        done: trained and measured.
        skipped: those of them that were so before.
        failed: with what went wrong.
        busy: another process has them.
    """

    done: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    busy: list[str] = field(default_factory=list)


Train = Callable[[Cell], Run]


def work(cells: Iterable[Cell], runs: Path, *, train: Train, say: Say) -> Outcome:
    """Train what is not done; look again at the end at what others had.

    Args:
        cells: the runs, in the order in which they are trained. Any order gives the same bytes.
        runs: the folder of run folders.
        train: trains and measures one run, from where it stopped.
        say: is told in words what is skipped, fails or is busy.

    Raises:
        Interrupted: asked to stop; the run at hand has saved a checkpoint.
    """
    outcome = Outcome()
    later = [cell for cell in cells if not _one(cell, runs, train, say, outcome)]
    for cell in later:
        if not _one(cell, runs, train, say, outcome):
            outcome.busy.append(str(cell.path(runs)))
    return outcome


def _one(cell: Cell, runs: Path, train: Train, say: Say, outcome: Outcome) -> bool:
    """Settle one run; False if another process has it."""
    path = str(cell.path(runs))
    try:
        before = state(cell, runs)
        if before == "busy":
            say(f"{path} is busy: another process trains it")
            return False
        _settle(cell, path, before, train, outcome)
    except (RunError, RequestError) as error:
        if error.slug in BUSY:
            say(f"{path} is busy: another process trains it")
            return False
        outcome.failed[path] = error.message
        say(_told(path, error))
    return True


def _settle(cell: Cell, path: str, before: State, train: Train, outcome: Outcome) -> None:
    if before == "diverged":
        hint = f"it would again; to try it nevertheless: dcp pretrain {path}/recipe.toml --resume"
        raise RunError("the run diverged before", slug="diverged", where=path, hint=hint)
    if before == "done":
        outcome.skipped.append(path)
    else:
        train(cell)
    outcome.done.append(path)


def _told(path: str, error: DcpError) -> str:
    return f"{path} failed; the study goes on\n{error}"
