"""pretrain: train a run, then measure it as its recipe says."""

import torch

from dcp.errors import RequestError, RunBusy, failure
from dcp.probing.probe import loaded, probe
from dcp.recipe.recipe import Recipe
from dcp.runs.run import Run
from dcp.training import failures
from dcp.training.request import Request
from dcp.training.trainer import Trainer


def pretrain(recipe: Recipe, request: Request) -> Run:
    """Train what a recipe describes and run the probes it asks for.

    Returns:
        The run, finished and probed.

    Raises:
        RequestError: what was asked for cannot be done; nothing was written.
        RunError: it failed on its way; run.json says why.
    """
    threads = torch.get_num_threads()
    try:
        run = train(recipe, request)
        measure(run, request)
    finally:
        torch.set_num_threads(threads)  # the program that called keeps its own number
    return run


def train(recipe: Recipe, request: Request) -> Run:
    """The same without probes, which `measure` can make later.

    Raises:
        RequestError, RunError: as `pretrain`.
    """
    with failures.in_words(None):
        trainer = Trainer(recipe, request)
        if recipe.probe.wanted and trainer.process.is_main:
            # shows now, not after hours
            loaded(trainer.anchored, only=("train", "test") if recipe.probe.data else ("test",))
    if not trainer.finished:
        if trainer.existing is not None and trainer.existing.status == "killed" and trainer.process.is_main:
            request.say(f'{trainer.path} was killed: it says "running", and no process writes to it. Going on')
        return trainer.run()
    assert trainer.existing is not None
    trainer.write_recipe(trainer.existing)
    request.say(f"{trainer.path} is done already; measuring what is missing")
    return trainer.existing


def measure(run: Run, request: Request) -> None:
    """Run those probes of a trained run that its recipe asks for and that have not been made.

    Raises:
        RunBusy: another process writes to the run.
        RunError: something stands in the way; the run itself is done.
    """
    try:
        if not (missing := _missing(run)):
            return
        request.watch({"kind": "probe", "name": "loading images", "number": 0, "of": len(missing), "share": None})
        with run.lock(request.say):
            if missing := _missing(run):  # another process may have measured since
                probe(run, missing, device=request.device, say=request.say, watch=request.watch, forgiving=True)
    except RunBusy:
        raise
    except RequestError as error:
        raise failure(error) from None


def _missing(run: Run) -> tuple[str, ...]:
    """The probes that the recipe asks for and that have not been made."""
    probes = run.recipe()["probe"]
    wanted = [*probes["after"], *(["layers"] if probes.get("layers") else [])]
    return tuple(name for name in wanted if name not in run.probes())
