"""What measures and compares. torch is imported when `probe` is called."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any


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
        evaluations: names; without any those of the run's recipe.
        sets: overrides of the recipe's [probe], "probe.knn.k=200".
        data: source of other images to learn from and to be tested on, "cifar100"; written as `<evaluation>@<data>`.
        runs: the folder of run folders.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        dcp.errors.RequestError: no such run or evaluation, or no encoder in it.
    """
    from dcp.probing.probe import probe
    from dcp.runs.run import open_or_find

    opened = open_or_find(run, runs)
    with opened.lock():
        return probe(opened, tuple(evaluations), sets=tuple(sets), data=data, device=device)


def compare(runs_: Sequence[str | Path], *, runs: str | Path = "runs") -> dict[str, Any]:
    """Compare runs, or arms of seeds; the content of comparison.json. Does not need torch.

    Args:
        runs_: run folders, or names below `runs`; a name without seed means all its seeds.
        runs: the folder of run folders.

    Raises:
        dcp.errors.RequestError: no such run, or fewer than two.
    """
    from dcp.comparison.compare import compare_named
    from dcp.errors import path_given
    from dcp.report import render

    return render.plain(compare_named([str(word) for word in runs_], path_given(runs, where="runs")))
