"""What measures and compares. torch is imported when `probe` is called."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dcp.api import arguments
from dcp.errors import path_given


def probe(
    run: str | Path,
    evaluations: Sequence[str] = (),
    *,
    sets: Sequence[str] = (),
    data: str | None = None,
    runs: str | Path = "runs",
    device: str = "auto",
) -> dict[str, Any]:
    """Evaluate the frozen encoder of one run; the content of each `probes/<evaluation>.json`.

    Args:
        run: a run folder, or the name of one below `runs`.
        evaluations: names, or one; without any those of the run's recipe.
        sets: overrides of the recipe's [probe], "probe.knn.k=200".
        data: source of other images to learn from and to be tested on, "cifar100"; written as `<evaluation>@<data>`.
        runs: the folder of run folders.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        dcp.errors.RequestError: no such run or evaluation, no encoder in it, or an argument of another type.
    """
    from dcp.probing.probe import probe
    from dcp.runs.run import open_or_find

    names, overrides = arguments.texts(evaluations, "evaluations"), arguments.texts(sets, "sets")
    opened = open_or_find(run, path_given(runs, where="runs"))
    with opened.lock():
        return probe(opened, names, sets=overrides, data=data, device=device)


def compare(runs_: Sequence[str | Path], *, runs: str | Path = "runs") -> dict[str, Any]:
    """Compare runs, or arms of seeds; the content of comparison.json. Does not need torch.

    Args:
        runs_: run folders, or names below `runs`, or one; a name without seed means all its seeds.
        runs: the folder of run folders.

    Raises:
        dcp.errors.RequestError: no such run, fewer than two, or an argument of another type.
    """
    from dcp.comparison.compare import compare_named
    from dcp.report import render

    return render.plain(compare_named(arguments.texts(runs_, "runs_"), path_given(runs, where="runs")))
