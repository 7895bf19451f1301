"""pretrain: train a run, then measure it as its recipe says."""

from pathlib import Path

from dcp.journal import Watch
from dcp.probing import Say, probe
from dcp.recipe import Recipe
from dcp.run import Run
from dcp.training import Training


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
) -> Run:
    """Train what a recipe describes and run the probes it asks for.

    Args:
        recipe: a checked recipe, the path of one, or the name of one that ships.
        runs: the folder of run folders; the run is `<runs>/<run.name>-s<run.seed>`.
        resume: continue the run if it is there, begin it if not.
        device: "auto", "cpu", "cuda" or "mps".
        watch: is given every line of metrics as it is written.
        say: is told in words what is skipped and why.

    Returns:
        The run, finished and probed.

    Raises:
        RequestError: what was asked for cannot be done; nothing was written.
        RunError: it failed on its way; run.json says why.
    """
    recipe = Recipe.read(recipe) if isinstance(recipe, str) else recipe
    training = Training(recipe, runs=Path(runs), resume=resume, device=device, watch=watch)
    if training.finished:
        assert training.past is not None
        run = training.past
        say(f"{run.path} is done already; measuring what is missing")
    else:
        run = training.run()
    missing = tuple(name for name in recipe.probe.after if name not in run.probes())
    if training.process.first and missing:
        probe(run, missing, device=training.process.device.type, say=say, forgiving=True)
    training.process.wait()
    return run
