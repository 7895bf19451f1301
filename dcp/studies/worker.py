"""The work of a study: every run that is not done, in any order; what fails stops no other."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from dcp.errors import DcpError, Diverged, RunBusy, RunExists
from dcp.runs.run import Run
from dcp.studies.grid import Cell, state
from dcp.training.request import Say


@dataclass
class Outcome:
    """What came of the runs of a study, as paths of run folders."""

    done: list[str] = field(default_factory=list)  # trained and measured
    skipped: list[str] = field(default_factory=list)  # those of them that were so before
    failed: dict[str, str] = field(default_factory=dict)  # with what went wrong
    busy: list[str] = field(default_factory=list)  # another process has them


Train = Callable[[Cell], Run]


def work(cells: Iterable[Cell], runs: Path, *, train: Train, say: Say) -> Outcome:
    """Train what is not done; look again at the end at what others had.

    Args:
        cells: the runs, in the order in which they are trained. Any order gives the same bytes.
        runs: the folder of run folders.
        train: trains and measures one run, from where it stopped.
        say: is told in words what is skipped, fails or is busy.

    Raises:
        Interrupted: asked to stop; the run in progress has saved a checkpoint.
    """
    outcome = Outcome()
    busy = [cell for cell in cells if not _finish(cell, runs, train, say, outcome)]
    outcome.busy = [str(cell.path(runs)) for cell in busy if not _finish(cell, runs, train, say, outcome)]
    return outcome


def _finish(cell: Cell, runs: Path, train: Train, say: Say, outcome: Outcome) -> bool:
    """Bring a run to its end, or to its failure; False if another process has it."""
    path = str(cell.path(runs))
    try:
        before = state(cell, runs)
        if before == "diverged":
            hint = f"it would diverge again; to try anyway: dcp pretrain {path}/recipe.toml --resume"
            raise Diverged("the run diverged before", slug="diverged", where=path, hint=hint)
        busy = before == "busy"
        if before == "done":
            outcome.skipped.append(path)
        elif not busy:
            train(cell)
    except (RunBusy, RunExists):  # another process has taken it, or made its folder, since we looked
        busy = True
    except DcpError as error:
        outcome.failed[path] = error.message
        say(f"{path} failed; the study goes on\n{error}")
        return True
    if busy:
        say(f"{path} is busy: another process trains it")
    else:
        outcome.done.append(path)
    return not busy
