"""`dcp pretrain` of a study: train what is not done, compare, and show published numbers beside ours."""

import json
import re
import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from dcp.cli import launch
from dcp.cli import submit as submits
from dcp.cli.compare import check_alone, write
from dcp.cli.exit_codes import is_launched
from dcp.cli.lines import tell, written
from dcp.cli.options import Format
from dcp.cli.progress import Watcher, duration
from dcp.errors import DONE, FAILED, REFUSED, STOPPED, Interrupted, RequestError, RunError
from dcp.hardware.device import choose_device
from dcp.hardware.malloc import keep_freed_memory
from dcp.report import render
from dcp.report.chart_files import FOLDER as FIGURES
from dcp.report.chart_files import check_figures, write_charts
from dcp.report.html.reports import comparison_html
from dcp.report.page import count
from dcp.runs.disk import atomic_write
from dcp.runs.run import Run
from dcp.studies import execute, grid, page, preflight
from dcp.studies.grid import Cell
from dcp.studies.share import Share
from dcp.studies.study import Study, read
from dcp.training import dry_run as dry_run_module
from dcp.training import pretrain as training
from dcp.training.request import Request

STDERR = 2  # its descriptor


def pretrain(
    source: str,
    sets: tuple[str, ...],
    seeds: list[int],
    request: Request,
    *,
    dry_run: bool,
    quiet: bool,
    format_: Format,
    figures: str | None,
    as_json: bool,
    share: Share | None = None,
) -> int:
    """Do a study, or a share of it; the exit code: that of a failed run if one failed."""
    check_alone(format_, {"--dry-run": dry_run, "--json": as_json})
    if is_launched():
        hint = f"dcp pretrain {source} --processes N starts N of them for each run"
        raise RequestError("a study starts its processes itself", slug="bad-option", hint=hint)
    study = read(source, sets).with_seeds(seeds)
    folder = request.runs / study.name
    check_figures(figures, folder)
    if dry_run:
        return _dry(study, request, share, as_json=as_json)
    if choose_device(request.device) == "cpu":
        keep_freed_memory()
    console = Console(stderr=format_ is not Format.table)  # then standard output is the table alone
    request = replace(request, resume=True, say=partial(tell, console))
    numbers = {cell: number for number, cell in enumerate(grid.cells(study), 1)}

    def train(cell: Cell) -> Run:
        if not quiet:
            request.say(f"\nrun {numbers[cell]} of {len(numbers)}: {cell.path(request.runs)}")
        if request.processes > 1:
            return _launched(cell, request, stdout=STDERR if console.stderr else None)
        with Watcher(console, quiet=quiet) as watcher:
            return training.pretrain(cell.recipe, replace(request, watch=watcher, say=watcher.say, warn=watcher.warn))

    try:
        result = execute.run(study, request, train, share)
    except KeyboardInterrupt:  # while it measures; the training itself saves a checkpoint first
        raise KeyboardInterrupt("stopped; finished runs are kept, and the same command continues") from None
    for title, paths in (
        ("failed", list(result.own.failed)),
        ("busy, trained by another process", result.own.busy),
    ):
        for path in paths:
            request.say(f"{path}: {title}")
    code = FAILED if result.own.failed else DONE
    if result.waiting:
        left = f"{count(len(result.waiting), 'run')} of other shares {'is' if len(result.waiting) == 1 else 'are'} left"
        request.say(
            f"\n{share}: {count(len(result.own.done), 'run')} done; {left}. The share that ends last compares, and so "
            f"does at any time, with what there is: dcp pretrain {source}"
        )
        if as_json:
            print(json.dumps({**result.to_dict(), "waiting": result.waiting}))
        return code
    comparison = result.comparison
    if result.reproductions:
        console.print()
        console.print(render.terminal(page.published(result.study, result.reproductions)))
    if comparison is not None:
        atomic_write(folder / "comparison.html", comparison_html(comparison).encode())
        if figures is not None:
            write_charts(comparison, figures, folder)
    files = ["study.json"]
    if comparison is not None:
        files = ["comparison.html", "comparison.md", "comparison.json", *files, *([FIGURES] if figures else [])]
    if comparison is None:
        console.print()
    elif format_ is not Format.table:
        write(comparison, format_, quiet=quiet)
    else:
        console.print()
        console.print(render.result(comparison))
        if not quiet and (said := render.care(comparison)):
            console.print()
            console.print(said)
        runs = "" if request.runs == Path("runs") else f" --runs {request.runs}"
        console.print()
        tell(console, f"Every score and all tests: dcp compare {study.name} --details{runs}")
    written(console, folder, files)
    if as_json:
        print(json.dumps(result.to_dict()))
    return code


def submit(
    source: str,
    sets: tuple[str, ...],
    seeds: list[int],
    request: Request,
    system: str,
    options: list[str],
    share: str | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Submit a study as an array job, in which each job trains a share of its runs.

    Raises:
        RequestError: what can be seen to be wrong before it runs; nothing was submitted.
    """
    submits.check_system(system)
    study = read(source, sets).with_seeds(seeds)
    cells = grid.cells(study)
    if dry_run:
        hint = f"dcp pretrain {source} --dry-run shows what there is to train, and checks it"
        raise RequestError("--submit and --dry-run exclude each other", slug="bad-option", where="--submit", hint=hint)
    if share is not None and not re.fullmatch("[1-9][0-9]{0,5}", share):
        hint = f"a number of jobs, e.g. --share 8; without it {count(len(cells), 'job')} of one run each"
        raise RequestError(f'--share is "{share}"', slug="bad-option", where="--share", hint=hint)
    grid.states(study, request.runs)
    jobs = min(int(share or len(cells)), len(cells))
    words = ["pretrain", source, *(word for text in sets for word in ("--set", text)), "--quiet"]
    words += ["--seeds", ",".join(map(str, study.seeds)), "--runs", str(request.runs), "--device", request.device]
    words += ["--processes", str(request.processes)] if request.processes > 1 else []
    folder = request.runs / study.name / "slurm"
    job = submits.slurm(words, options, count=jobs, name=study.name, folder=folder)
    if as_json:
        print(json.dumps({"study": study.name, "job": job, "shares": jobs, "folder": str(folder)}))
    else:
        print(f"submitted {count(len(cells), 'run')} as {count(jobs, 'job')} of Slurm: {job}; logs: {folder}")
        print(f"squeue --job {job}; what is done: dcp pretrain {source} --dry-run; the comparison: {folder.parent}")
    return DONE


def _launched(cell: Cell, request: Request, stdout: int | None) -> Run:
    """Train and measure a run in processes of its own."""
    with tempfile.TemporaryDirectory() as folder:
        recipe = Path(folder) / "recipe.toml"
        recipe.write_text(cell.recipe.toml(), encoding="utf-8")
        words = ["pretrain", str(recipe), "--resume", "--quiet", "--runs", str(request.runs)]
        code = launch.launch([*words, "--device", request.device], request.processes, stdout)
    if code in STOPPED:
        raise Interrupted(code, said=True)  # by its processes, or by `launch` where they could not
    if code != DONE:
        kind = RequestError if code == REFUSED else RunError
        raise kind("its processes ended with an error", slug="run-failed", where=str(cell.path(request.runs)))
    return Run.open(cell.path(request.runs))


def _dry(study: Study, request: Request, share: Share | None, *, as_json: bool) -> int:
    """Check everything, print the plan, measure a few steps of one run."""
    states = grid.states(study, request.runs, share.of(grid.cells(study)) if share else None)
    steps = preflight.check(study, states, request)
    console = Console()
    console.print(render.terminal(page.plan(study, states)))
    plan: dict[str, Any] = {
        "study": study.name,
        "runs": {str(cell.path(request.runs)): state for cell, state in states.items()},
    }
    left = [cell for cell, state in states.items() if state in grid.LEFT]
    if left:
        cost = dry_run_module.estimate(left[0].recipe, replace(request, resume=True))
        total, pace = sum(steps[cell.arm.name] for cell in left), cost["seconds_per_step"]
        plan |= {"steps": total, "seconds_per_step": pace, "estimated_s": None if pace is None else total * pace}
        what = f"{count(total, 'step')} of {count(len(left), 'run')}"
        if pace is None:
            tell(console, f"\ntime  {what}; {cost['run']} has too few to measure any")
        else:
            tell(
                console,
                f"\ntime  {pace:.3f} s a step, measured on {cost['run']}: {what} take about "
                f"{duration(total * pace)} on {cost['device']}, and then the probes",
            )
    if as_json:
        sys.stdout.write(json.dumps(plan) + "\n")
    return DONE
