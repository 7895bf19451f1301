"""dcp: declarative recipes for non-contrastive self-supervised learning.

    run = dcp.pretrain("quickstart")
    encoder = dcp.load_encoder("quickstart")
    features = encoder(["a.jpg", "b.jpg"])                # [2, D]; also PIL images, NumPy arrays, tensors
    scores = dcp.load_run("quickstart").scores()

The functions behind the commands, for notebooks and programs: plain values in, plain values out. Importing dcp is
light; torch is imported when one of its functions is first used.
"""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dcp import errors

if TYPE_CHECKING:
    from dcp.runs.encoder import Encoder
    from dcp.runs.loaded import LoadedRun

__version__ = version("dcp")
__all__ = ["__version__", "compare", "errors", "load_encoder", "load_run", "pretrain", "probe", "study", "theory"]


def __dir__() -> list[str]:
    """What `dir(dcp)` and tab completion show."""
    return sorted((*__all__, "__all__", "__doc__", "__file__", "__name__", "__path__"))


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

    checked = Recipe.of(recipe, tuple(sets)) if isinstance(recipe, dict) else Recipe.read(str(recipe), tuple(sets))
    return pretrain(checked, Request(Path(runs), resume, device)).path


def study(
    recipe: str | Path,
    *,
    sets: Sequence[str] = (),
    seeds: Sequence[int] = (),
    runs: str | Path = "runs",
    device: str = "auto",
) -> dict[str, Any]:
    """Run a study: train every arm with every seed that is not done yet, compare, and write `<runs>/<study>/`.

    Args:
        recipe: the path of a recipe with a section [study], or the name of a study that ships.
        sets: overrides of all arms, "key=value"; "study.axes.train.epochs=[10]" changes the study itself.
        seeds: instead of those of the study.
        runs: the folder of run folders.
        device: "auto", "cpu", "cuda" or "mps".

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
    from dcp.studies.study import read
    from dcp.training.request import Request

    result = execute.run(read(str(recipe), tuple(sets)).with_seeds(seeds), Request(Path(runs), device=device))
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

    checked = simulate.check(recipe) if isinstance(recipe, dict) else simulate.read(recipe, tuple(sets))
    found = simulate.perform(checked, None if out is None else Path(out))
    return simulate.plain(checked, found)


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

    opened = open_or_find(run, Path(runs))
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
    from dcp.report import render

    return render.plain(compare_named([str(word) for word in runs_], Path(runs)))


def load_encoder(run: str | Path, *, runs: str | Path = "runs") -> "Encoder":
    """The trained encoder of a run: a frozen module that gives features [n, D] of images.

    It takes a PIL image, a path, a NumPy array [H, W, 3] or a tensor [3, H, W] of uint8, alone or in a list, or batches
    of arrays; one image gives [D]. What its `preprocess` gives, float32 [n, 3, S, S], it takes too.

    Args:
        run: a run folder, or the name of one below `runs`: without a seed the first there is.
        runs: the folder of run folders.

    Raises:
        dcp.errors.RequestError: no such run, or no encoder in it.
    """
    from dcp.runs import encoder
    from dcp.runs.run import open_or_find

    return encoder.load(open_or_find(run, Path(runs)))


def load_run(path: str | Path, *, runs: str | Path = "runs") -> "LoadedRun":
    """A run as an object: what its folder says, as plain values. Does not import torch.

    `.path`, `.name`, `.status`; `.recipe` and `.record` (run.json) as dicts; `.metrics(kind)`, a list of dicts;
    `.scores()`, by evaluation, or `.scores(flat=True)`, a list of rows; `.diagnosis` with state, why, evidence and
    advice; `.encoder()`, which imports torch.

    Args:
        path: a run folder, or the name of a run below `runs`: without a seed the first there is.
        runs: the folder of run folders.

    Raises:
        dcp.errors.RequestError: no such run, or its folder is damaged.
    """
    from dcp.runs import loaded

    return loaded.load(path, Path(runs))
