"""pretrain: train a run, then measure it as its recipe says."""

from pathlib import Path

from dcp.probing.probe import Say, loaded, probe
from dcp.recipe.recipe import Recipe
from dcp.runs.run import Run
from dcp.training import failures
from dcp.training.metrics import Watch
from dcp.training.trainer import Training


def silent(*_: object) -> None:
    """Say nothing."""


def pretrain(
    recipe: Recipe | str,
    *,
    runs: str | Path = "runs",
    resume: bool = False,
    device: str = "auto",
    watch: Watch = silent,
    say: Say = silent,
    measured: bool = True,
) -> Run:
    """Train what a recipe describes and run the probes it asks for.

    Args:
        recipe: a checked recipe, the path of one, or the name of one that ships.
        runs: the folder of run folders; the run is `<runs>/<run.name>-s<run.seed>`.
        resume: continue the run if it is there, begin it if not.
        device: "auto", "cpu", "cuda" or "mps".
        watch: is given every line of metrics as it is written.
        say: is told in words what is skipped and why.
        measured: run the probes too; without, `measure` does it later.

    Returns:
        The run, finished and, if `measured`, probed.

    Raises:
        RequestError: what was asked for cannot be done; nothing was written.
        RunError: it failed on its way; run.json says why.
    """
    run = _trained(recipe, Path(runs), resume, device, watch, say)
    if measured:
        measure(run, device=device, say=say)
    return run


def _trained(recipe: Recipe | str, runs: Path, resume: bool, device: str, watch: Watch, say: Say) -> Run:
    recipe = Recipe.read(recipe) if isinstance(recipe, str) else recipe
    with failures.in_words(None):
        training = Training(recipe, runs=runs, resume=resume, device=device, watch=watch)
        if recipe.probe.after and training.process.first:
            loaded(recipe, only=("train", "test") if recipe.probe.data else ("test",))  # shows now, not after hours
    if not training.finished:
        return training.run()
    assert training.past is not None
    training.renew(training.past)
    say(f"{training.past.path} is done already; measuring what is missing")
    return training.past


def measure(run: Run, *, device: str = "auto", say: Say = silent) -> None:
    """Run those probes of a trained run that its recipe asks for and that have not been made."""
    missing = tuple(name for name in run.recipe()["probe"]["after"] if name not in run.probes())
    if missing:
        with run.lock():
            probe(run, missing, device=device, say=say, forgiving=True)
