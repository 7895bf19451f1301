"""`dcp pretrain`: read the recipe, train every seed, show progress and a summary."""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rich.console import Console

from dcp.commands.progress import Watcher, duration
from dcp.errors import RequestError
from dcp.outcome import another_process, one_of_several
from dcp.recipe.recipe import Recipe
from dcp.recipe.seeds import parse
from dcp.report import render
from dcp.report.page import count
from dcp.runs.run import Run
from dcp.studies.study import is_study


def main(
    recipe: str,
    sets: tuple[str, ...],
    *,
    seed: int | None,
    seeds: str | None,
    runs: Path,
    resume: bool,
    device: str,
    processes: int,
    dry_run: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Train what was asked for; the exit code."""
    if is_study(recipe, sets):
        from dcp.commands import study

        return study.main(
            recipe, sets, seeds=_seeds(seed, seeds), runs=runs, device=device, processes=processes,
            dry_run=dry_run, quiet=quiet, as_json=as_json,
        )  # fmt: skip
    checked = Recipe.read(recipe, sets)
    wanted = _seeds(seed, seeds) or [checked.run.seed]
    train = partial(_train, checked, wanted, runs=runs, resume=resume, device=device, quiet=quiet, as_json=as_json)
    if dry_run:
        return _dry(checked.with_seed(wanted[0]), runs=runs, resume=resume, device=device, as_json=as_json)
    if processes == 1 or one_of_several():
        return train()
    from dcp import launch

    return launch.launch(sys.argv[1:], processes)


def _train(
    recipe: Recipe, seeds: list[int], *, runs: Path, resume: bool, device: str, quiet: bool, as_json: bool
) -> int:
    from dcp.hardware.malloc import keep_freed_memory
    from dcp.hardware.processes import choose_device
    from dcp.training import resume as past
    from dcp.training.pretrain import pretrain

    if choose_device(device) == "cpu":
        keep_freed_memory()

    first, alone = not another_process(), not one_of_several()
    console, trained = Console(), []
    for seed in seeds if first else ():  # before the first one trains for hours
        past.run_at(runs / f"{recipe.run.name}-s{seed}", recipe.with_seed(seed), resume=resume)
    for seed in seeds:
        with Watcher(console, quiet=quiet or not first) as watcher:
            say = watcher.say
            one = recipe.with_seed(seed)
            run = pretrain(one, runs=runs, resume=resume, device=device, watch=watcher, say=say, measured=False)
            trained.append(run)
            if alone:
                _measure(run, console, device=device, say=say)
    # the others do not wait for the probes: a collective has a time limit, and probes may take longer
    for run in trained if first and not alone else ():
        _measure(run, console, device=device, say=say)
    paths = [str(run.path) for run in trained]
    if as_json and first:
        print(json.dumps({"runs": paths}))
    return 0


def _measure(run: Run, console: Console, *, device: str, say: Callable[[str], None]) -> None:
    from dcp.training.pretrain import measure

    measure(run, device=device, say=say)
    console.print(render.summary(Run.open(run.path)))


def _seeds(seed: int | None, seeds: str | None) -> list[int] | None:
    """The seeds of --seed N, --seeds 0-4 or --seeds 0,1,2; None without either.

    >>> _seeds(None, "0-2,7")
    [0, 1, 2, 7]
    """
    if seed is not None and seeds is not None:
        raise RequestError("--seed and --seeds exclude each other", slug="bad-option", hint="one of the two")
    if seeds is None:
        return None if seed is None else [seed]
    return parse(seeds)


def _dry(recipe: Recipe, *, runs: Path, resume: bool, device: str, as_json: bool) -> int:
    from dcp.training.dry_run import estimate

    cost = estimate(recipe, runs=runs, resume=resume, device=device)
    gib = (cost["peak_memory_bytes"] or 0) / 2**30
    for line in (
        f"would train {cost['run']} on {cost['device']}, {cost['precision']} ({cost['precision_why']})",
        f"images       {cost['images']:,}, batch {cost['batch']}: "
        f"{count(cost['steps_per_epoch'], 'step')} an epoch, {cost['steps']:,} in all",
        f"parameters   {cost['parameters']:,}, of which the backbone {cost['backbone_parameters']:,}",
        f"arithmetic   {cost['flops_per_step'] / 1e9:,.1f} GFLOP a step",
        f"memory       {gib:.1f} GiB at most so far",
        f"time         {cost['seconds_per_step']:.3f} s a step ({cost['images_per_s']:,.0f} images/s): "
        f"about {duration(cost['estimated_s'])}",
    ):
        print(line)
    if as_json:
        sys.stdout.write(json.dumps(cost) + "\n")
    return 0
