"""What training reads before it begins: images and weights. The first process goes first where it may make files."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from torch import Tensor

from dcp.data import shard_index, statistics
from dcp.data.datasets import base as datasets
from dcp.data.loader import worker_count
from dcp.hardware.processes import Process
from dcp.method.weights import LIBRARIES
from dcp.recipe.recipe import Recipe
from dcp.runs import starting
from dcp.runs.run import Run
from dcp.training.request import Request

T = TypeVar("T")


def images(recipe: Recipe, request: Request, run: Run | None, process: Process) -> datasets.Dataset:
    """The images that a recipe names, as the run that goes on has settled them, if one does.

    `request.say` is told how far their index is, where one has to be made.

    Raises:
        RequestError: they are not there.
    """
    recorded = run and run.record.data.model_extra
    config, makes = datasets.settled(recipe.data, recorded), recipe.data.download or recipe.data.prepares
    with shard_index.told(request.say):
        data = _in_turn(lambda: datasets.load(config, "pretrain"), process, makes=makes)
    workers = worker_count(recipe.train.workers, process.count)
    return statistics.noted(data, recipe.views, size=recipe.data.view_size, recorded=recorded, workers=workers)


def weights(
    recipe: Recipe, request: Request, run: Run | None, process: Process
) -> tuple[Mapping[str, Tensor] | None, starting.Start | None]:
    """The weights of the backbone that training begins with, and what a new run notes of them; None: random ones.

    A run that goes on has its own copy of them.

    Raises:
        RequestError: there are none, or they do not fit.
    """
    if run is not None:
        return starting.kept(run, recipe), None
    word, backbone = recipe.network.weights, recipe.network.backbone
    fetched = word in LIBRARIES
    if fetched and process.is_main:
        request.say(f"weights of {word} for {backbone}: from its cache, or fetched now")
    found = _in_turn(lambda: starting.find(recipe, request.runs), process, makes=fetched)
    return (None, None) if found is None else (found.tensors, found)


def _in_turn(get: Callable[[], T], process: Process, *, makes: bool) -> T:
    """What `get` returns; if it makes files, the first process calls it before the others do.

    Then all wait for each other: on a disk of its own another machine has to make them too, and a collective gives up.
    """
    if makes and not process.is_main:
        process.wait()
    got = get()
    if makes:
        if process.is_main:
            process.wait()
        process.wait()
    return got
