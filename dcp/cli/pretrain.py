"""`dcp pretrain`: read the recipe, train every seed, show progress and a summary."""

import contextlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dcp.cli import options
from dcp.cli.exit_codes import is_launched, is_main
from dcp.cli.lines import tell
from dcp.errors import DcpError, ProcessLost, RequestError
from dcp.training.request import Request

if TYPE_CHECKING:
    from dcp.cli.progress import Watcher
    from dcp.recipe.recipe import Recipe
    from dcp.runs.run import Run


def pretrain(
    recipe: options.Recipe,
    words: options.Words = None,
    set_: options.Sets = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", min=0, max=2**31 - 1, help="The seed, instead of run.seed.")
    ] = None,
    seeds: Annotated[str | None, typer.Option("--seeds", metavar="0-4", help="One run for each: 0-4 or 0,1,2.")] = None,
    runs: options.Runs = Path("runs"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")] = False,
    device: options.Device = "auto",
    processes: Annotated[
        int, typer.Option("--processes", metavar="N", min=1, help="Processes that train together.")
    ] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check all, measure a few steps, write nothing.")] = False,
    share: options.Share = None,
    submit: options.Submit = None,
    format_: options.As = options.Format.table,
    figures: options.Figures = None,
    quiet: options.Quiet = False,
    json_: options.Json = False,
) -> int:
    """Train an encoder without labels and measure it: one run folder a seed.

    A recipe with a section [study] is many runs: each arm with each seed that is not done yet, then a comparison. The
    same command goes on where it was stopped.
    """
    from rich.console import Console

    from dcp.cli.lines import written
    from dcp.cli.progress import Watcher

    if seed is not None and seeds is not None:
        raise RequestError("--seed and --seeds exclude each other", slug="bad-option", hint="one of the two")
    sbatch: list[str] = []
    if submit is not None:
        from dcp.cli.submit import split

        words, sbatch = split(words or ())
    keys = [{text.partition("=")[0].strip() for text in texts or ()} for texts in (set_, words)]
    if twice := sorted(keys[0] & keys[1]):
        what, hint = f"{twice[0]} is given twice, with --set and without", "Which of the two counts? Give it once."
        raise RequestError(what, slug="bad-override", where=twice[0], hint=hint)
    sets, request = (*(set_ or ()), *(words or ())), Request(runs, resume, device, processes)
    console = Console(stderr=format_ is not options.Format.table)  # then standard output is the table alone
    with Watcher(console, quiet=quiet or not is_main()) as watcher:
        watcher.doing("loading PyTorch")  # what is imported below takes seconds
        request = replace(request, warn=watcher.warn)
        from dcp.recipe.recipe import Recipe
        from dcp.recipe.seeds import parse
        from dcp.studies.share import parse as parse_share
        from dcp.studies.study import is_study

        asked = parse(seeds) if seeds is not None else [] if seed is None else [seed]
        if is_study(recipe, sets):
            from dcp.cli import study

            watcher.rest()
            if submit is not None:
                return study.submit(recipe, sets, asked, request, submit, sbatch, share, dry_run=dry_run, as_json=json_)
            part = None if share is None else parse_share(share)
            return study.pretrain(
                recipe,
                sets,
                asked,
                request,
                dry_run=dry_run,
                quiet=quiet,
                format_=format_,
                figures=figures,
                as_json=json_,
                share=part,
            )
        if share is not None or submit is not None:
            what = f"--{'share' if submit is None else 'submit'} is for studies, and this recipe is one run"
            raise RequestError(
                what, slug="bad-option", hint="a recipe with a section [study] has shares: `dcp recipes`"
            )
        if format_ is not options.Format.table:
            hint = "a run has no table of arms; dcp compare has one of several runs"
            raise RequestError("--format is for studies", slug="bad-option", hint=hint)
        if figures is not None:
            hint = f"once the run is done: dcp probe RUN --figures {figures}"
            raise RequestError("--figures is for studies", slug="bad-option", hint=hint)
        checked = Recipe.read(recipe, sets)
        recipes = [checked.with_seed(each) for each in asked] or [checked]
        if dry_run:
            return _dry(recipes[0], request, watcher, as_json=json_)
        if processes > 1 and not is_launched():
            from dcp.cli import launch

            watcher.rest()
            try:
                return launch.launch(sys.argv[1:], processes)
            except ProcessLost as error:
                _note(recipes, request, error)
                raise
        trained = _train(recipes, request, watcher)
    for run in trained if is_main() else ():
        written(watcher.console, run.path)
    if json_ and is_main():
        print(json.dumps({"runs": [str(run.path) for run in trained]}))
    return 0


def _note(recipes: "list[Recipe]", request: Request, error: ProcessLost) -> None:
    """Note what ended a training whose processes could not do so themselves."""
    from dcp.runs.run import Run
    from dcp.training.record import now

    for recipe in recipes:
        with contextlib.suppress(DcpError):  # it has not been begun, or another command goes on with it already
            run = Run.open(request.runs / recipe.folder)
            with run.lock():  # first: another may go on with it, and even end it
                if run.record.status == "running":
                    run.update(status="failed", why=str(error), error=error.slug, ended=now())


def _train(recipes: "list[Recipe]", request: Request, watcher: "Watcher") -> "list[Run]":
    """Train and measure each; with several processes all are trained before the main one measures them."""
    from dcp.hardware.device import choose_device
    from dcp.hardware.malloc import keep_freed_memory
    from dcp.training import resume
    from dcp.training.pretrain import train

    if choose_device(request.device) == "cpu":
        keep_freed_memory()
    trained: list[Run] = []
    request = replace(request, watch=watcher, say=watcher.say)
    for recipe in recipes if is_main() else ():  # before the first one trains for hours
        resume.existing(request.runs / recipe.folder, recipe, resume=request.resume)
    try:
        for recipe in recipes:
            watcher.doing(f"preparing {recipe.folder}")
            trained.append(train(recipe, request))
            if not is_launched():
                _measure(trained[-1], request, watcher)
        # the others do not wait for the probes: a collective has a time limit, and probes may take longer
        for run in trained if is_launched() and is_main() else ():
            _measure(run, request, watcher)
    except KeyboardInterrupt:  # not while it trains, for then it saves a checkpoint first
        what = "what has been trained and measured is kept" if trained else "nothing has been trained"
        raise KeyboardInterrupt(f"stopped; {what}: go on with --resume") from None
    return trained


def _measure(run: "Run", request: Request, watcher: "Watcher") -> None:
    from dcp.report import render
    from dcp.runs.run import Run
    from dcp.training.pretrain import measure

    measure(run, request)
    watcher.rest()
    watcher.console.print(render.summary(Run.open(run.path)))
    watcher.console.print()


def _dry(recipe: "Recipe", request: Request, watcher: "Watcher", *, as_json: bool) -> int:
    from dcp.cli.progress import duration
    from dcp.report.page import count
    from dcp.training.dry_run import estimate

    watcher.doing(f"measuring a few steps of {recipe.folder}")
    cost = estimate(recipe, request)
    watcher.rest()
    gib = (cost["peak_memory_bytes"] or 0) / 2**30
    time = "too few steps to measure any"
    if cost["seconds_per_step"] is not None:
        time = f"{cost['seconds_per_step']:.3f} s a step ({cost['images_per_s']:,.0f} images/s): "
        time += f"about {duration(cost['estimated_s'])}"
    exists = f"{cost['run']} exists: --resume goes on with it; a new one needs run.name=NEW_NAME, --seed or --runs"
    for line in (
        *([exists] if cost["exists"] else []),
        f"would train {cost['run']} on {cost['device']}, {cost['precision']} ({cost['precision_why']})",
        f"images       {cost['images']:,}, batch {cost['batch']}: "
        f"{count(cost['steps_per_epoch'], 'step')} an epoch, {cost['steps']:,} in all",
        *(f"             {remark}" for remark in cost["remarks"]),
        f"parameters   {cost['parameters']:,}, of which the backbone {cost['backbone_parameters']:,}",
        f"arithmetic   {cost['flops_per_step'] / 1e9:,.1f} GFLOP a step",
        f"memory       {gib:.1f} GiB at most so far",
        f"time         {time}",
    ):
        tell(watcher.console, line)
    if as_json:
        sys.stdout.write(json.dumps(cost) + "\n")
    return 0
