"""What trains or simulates. torch is imported when one of these is called."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dcp.api import arguments
from dcp.errors import path_given


def pretrain(
    recipe: str | Path | dict[str, Any],
    *,
    sets: Sequence[str] = (),
    runs: str | Path = "runs",
    resume: bool = False,
    device: str = "auto",
) -> Path:
    """Train what a recipe describes, run its probes, and return the run folder.

    Args:
        recipe: the path of a recipe, the name of one that ships, or its tables as a nested dict. A dict without
            run.name is named after its images and its predictor: "cifar10_directcopy".
        sets: overrides, "key=value".
        runs: the folder of run folders.
        resume: continue the run if it is there.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        dcp.errors.RequestError: it cannot be done; nothing was written.
        dcp.errors.RunError: it failed on its way; run.json says why.
    """
    from dcp.recipe.recipe import Recipe
    from dcp.training.pretrain import pretrain
    from dcp.training.request import Request

    checked = (
        Recipe.of(recipe, arguments.texts(sets, "sets"))
        if isinstance(recipe, dict)
        else Recipe.read(str(recipe), arguments.texts(sets, "sets"))
    )
    return pretrain(checked, Request(path_given(runs, where="runs"), resume, device)).path


def study(
    recipe: str | Path,
    *,
    sets: Sequence[str] = (),
    seeds: Sequence[int] = (),
    runs: str | Path = "runs",
    device: str = "auto",
    share: str | None = None,
) -> dict[str, Any]:
    """Run a study: train every arm with every seed that is not done yet, compare, and write `<runs>/<study>/`.

    Args:
        recipe: the path of a recipe with a section [study], or the name of a study that ships.
        sets: overrides of all arms, "key=value"; "study.axes.train.epochs=[10]" changes the study itself.
        seeds: instead of those of the study.
        runs: the folder of run folders.
        device: "auto", "cpu", "cuda" or "mps".
        share: of the runs, "0/3", or "auto" in a job of a cluster; the last of them compares.

    Returns:
        The content of study.json: run folders of this call that are done, failed or busy, and published numbers
        beside ours; and as "comparison" that of comparison.json, of all finished runs of the study whichever call
        trained them, None for fewer than two.

    Raises:
        dcp.errors.RequestError: something in it cannot be done; nothing was written. A run that fails on its way is
            no exception: it is told as failed, and the others are trained.
    """
    from dcp.report import render
    from dcp.studies import execute
    from dcp.studies.share import parse
    from dcp.studies.study import read
    from dcp.training.request import Request

    study = read(str(recipe), arguments.texts(sets, "sets")).with_seeds(seeds)
    part = None if share is None else parse(share)
    result = execute.run(study, Request(path_given(runs, where="runs"), device=device), share=part)
    return {**result.to_dict(), "comparison": result.comparison and render.plain(result.comparison)}


def theory(
    recipe: str | Path | dict[str, Any], *, sets: Sequence[str] = (), out: str | Path | None = None
) -> dict[str, Any]:
    """Simulate the linear model of the papers, and say what the closed form says.

    Args:
        recipe: the path of a recipe with a section [theory], the name of one that ships, or its tables as a dict.
        sets: overrides, "key=value".
        out: also write table, figures and report into this folder, which must not be there.

    Returns:
        "name", "experiment", "seed", "notes", and "rows": "setting", "quantity", "simulated", "closed_form", "bound"
        (whether that is an upper bound), "standard_error" (None where nothing is drawn).

    Raises:
        dcp.errors.RequestError: it cannot be done; nothing was written.
        dcp.errors.RunError: the flow cannot be followed, or the results cannot be written.
    """
    from dcp.dynamics import simulate

    checked = (
        simulate.check(recipe) if isinstance(recipe, dict) else simulate.read(recipe, arguments.texts(sets, "sets"))
    )
    found = simulate.perform(checked, None if out is None else path_given(out, where="out"))
    return simulate.plain(checked, found)
