"""`dcp pretrain` of a study: train what is not done, compare, and show published numbers beside ours."""

import json
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from dcp.commands.progress import Watcher, duration
from dcp.errors import DONE, FAILED, INTERRUPTED, REFUSED, TERMINATED, Interrupted, RequestError, RunError
from dcp.outcome import one_of_several
from dcp.report import render
from dcp.report.page import count
from dcp.runs.run import Run
from dcp.studies.study import Study, read

if TYPE_CHECKING:
    from dcp.studies.execute import Result
    from dcp.studies.grid import Cell

Train = Callable[["Cell"], Run]


def main(
    source: str,
    sets: tuple[str, ...],
    *,
    seeds: list[int] | None,
    runs: Path,
    device: str,
    processes: int,
    dry_run: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Do a study; the exit code: that of a failed run if one failed."""
    if one_of_several():
        hint = f"dcp pretrain {source} --processes N starts N of them for each run"
        raise RequestError("a study starts its processes itself", slug="bad-option", hint=hint)
    study = read(source, sets).with_seeds(seeds or ())
    if dry_run:
        return _dry(study, runs, device=device, processes=processes, as_json=as_json)
    from dcp.hardware.malloc import keep_freed_memory
    from dcp.hardware.processes import choose_device
    from dcp.studies import execute

    if choose_device(device) == "cpu":
        keep_freed_memory()
    console = Console()
    say = partial(console.print, highlight=False, markup=False, soft_wrap=True)
    one = partial(_launched, runs=runs, device=device, processes=processes) if processes > 1 else partial(
        _here, runs=runs, device=device, console=console, quiet=quiet
    )  # fmt: skip
    train = one if quiet else _announced(one, study, runs, say)
    result = execute.run(study, runs=runs, device=device, processes=processes, train=train, say=say)
    _show(result, console, runs / study.name, quiet=quiet)
    if as_json:
        print(json.dumps(result.to_dict()))
    return FAILED if result.outcome.failed else DONE


def _announced(train: Train, study: Study, runs: Path, say: Callable[[str], None]) -> Train:
    """The same, and each run's folder is said before it."""
    from dcp.studies.grid import cells

    place = {cell: i for i, cell in enumerate(cells(study), 1)}

    def announced(cell: "Cell") -> Run:
        say(f"\nrun {place[cell]} of {len(place)}: {cell.path(runs)}")
        return train(cell)

    return announced


def _here(cell: "Cell", *, runs: Path, device: str, console: Console, quiet: bool) -> Run:
    """Train and measure a run in this process."""
    from dcp.training.pretrain import pretrain

    with Watcher(console, quiet=quiet) as watcher:
        return pretrain(cell.recipe, runs=runs, resume=True, device=device, watch=watcher, say=watcher.say)


def _launched(cell: "Cell", *, runs: Path, device: str, processes: int) -> Run:
    """Train and measure a run in processes of its own."""
    from dcp import launch

    with tempfile.TemporaryDirectory() as folder:
        recipe = Path(folder) / "recipe.toml"
        recipe.write_text(cell.recipe.toml(), encoding="utf-8")
        words = ["pretrain", str(recipe), "--resume", "--quiet", "--runs", str(runs), "--device", device]
        code = launch.launch(words, processes)
    if code in (INTERRUPTED, TERMINATED):
        raise Interrupted(code)
    if code != DONE:
        kind = RequestError if code == REFUSED else RunError
        raise kind("its processes ended with an error", slug="run-failed", where=str(cell.path(runs)))
    return Run.open(cell.path(runs))


def _show(result: "Result", console: Console, folder: Path, *, quiet: bool) -> None:
    from dcp.studies import page

    outcome = result.outcome
    for title, found in (("failed", list(outcome.failed)), ("busy, trained by another process", outcome.busy)):
        for path in found:
            console.print(f"{path}: {title}", highlight=False, markup=False, soft_wrap=True)
    if result.comparison is not None:
        console.print()
        console.print(render.table(result.comparison, scores_only=quiet))
    if result.beside:
        console.print()
        console.print(render.drawn(page.published(result.study, result.beside)))
    console.print(f"\n{folder}: comparison.md, comparison.json, study.json", highlight=False, soft_wrap=True)


def _dry(study: Study, runs: Path, *, device: str, processes: int, as_json: bool) -> int:
    """Check everything, print the plan, measure a few steps of one run."""
    from dcp.studies import grid, page, preflight
    from dcp.training.dry_run import estimate

    states = grid.states(study, runs)
    steps = preflight.check(study, states, runs, device=device, processes=processes)
    Console().print(render.drawn(page.plan(study, states)))
    plan: dict[str, Any] = {
        "study": study.name,
        "runs": {str(cell.path(runs)): state for cell, state in states.items()},
    }
    left = [cell for cell, state in states.items() if state in grid.LEFT]
    if left:
        cost = estimate(left[0].recipe, runs=runs, resume=True, device=device)
        total, pace = sum(steps[cell.arm.name] for cell in left), cost["seconds_per_step"]
        plan |= {"steps": total, "seconds_per_step": pace, "estimated_s": total * pace}
        print(
            f"\ntime  {pace:.3f} s a step, measured on {cost['run']}: {count(total, 'step')} of "
            f"{count(len(left), 'run')} take about {duration(total * pace)} on {cost['device']}, and then the probes"
        )
    if as_json:
        sys.stdout.write(json.dumps(plan) + "\n")
    return DONE
