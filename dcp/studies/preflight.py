"""Before the first run of a study trains: whether all of them can. Each data set is opened once."""

from collections.abc import Mapping

from dcp.data.datasets import base
from dcp.data.datasets.base import DataConfig, Split
from dcp.hardware.device import choose_device
from dcp.probing import probe
from dcp.recipe import build
from dcp.runs import roots, starting
from dcp.runs.run import Run
from dcp.studies.grid import LEFT, Cell, State
from dcp.studies.study import Study
from dcp.studies.validate import ArmProblems
from dcp.training import resume
from dcp.training.request import Request


def check(study: Study, states: Mapping[Cell, State], request: Request) -> dict[str, int]:
    """Refuse a study of which a run cannot be trained here.

    Args:
        study: to be run.
        states: of its runs; only those that have steps left are looked at.
        request: where the runs lie, on which device and by how many processes they will be trained.

    Returns:
        Steps of one run of each arm that has runs left, by name.

    Raises:
        Problems: every arm's first obstacle: data, batch, network, images other than those a run began with.
    """
    choose_device(request.device)
    steps: dict[str, int] = {}
    images: dict[DataConfig, tuple[int, str]] = {}  # how many there are to train with, and their fingerprint
    labelled: set[tuple[DataConfig, tuple[Split, ...]]] = set()  # the images of probes that are there
    networks: set[tuple[object, ...]] = set()  # the settings that shape them, of those that could be built
    problems = ArmProblems(study.source, [arm.name for arm in study.arms])
    left: dict[str, list[tuple[Cell, State]]] = {}
    for cell, state in states.items():
        if state in LEFT:
            left.setdefault(cell.arm.name, []).append((cell, state))
    for name, cells in left.items():
        with problems.noted(name):
            recipe = cells[0][0].arm.recipe
            recipe.views.check_blur(recipe.data.view_size)
            stopped = [Run.open(cell.path(request.runs)) for cell, state in cells if state == "stopped"]
            for run in (*stopped, *([None] if len(stopped) < len(cells) else [])):
                placed = roots.anchored(recipe, run)
                if placed.data not in images:
                    data = base.load(placed.data, "pretrain")
                    images[placed.data] = len(data), data.fingerprint()
                number, fingerprint = images[placed.data]
                steps[name] = build.plan(placed, number, request.processes).steps
                if run is not None:
                    resume.check(run, fingerprint=fingerprint, steps=steps[name])

                splits: tuple[Split, ...] = ("train", "test") if placed.probe.data else ("test",)
                probed = (placed.probe.data or placed.data, splits)
                if placed.probe.wanted and probed not in labelled:
                    probe.loaded(placed, only=splits)  # as a run does before it trains
                    labelled.add(probed)

            network = (recipe.network, recipe.data.view_size, recipe.predictor, recipe.target, recipe.positives)
            for cell in (cell for cell, state in cells if state != "stopped" and recipe.network.weights):
                weights = starting.place(cell.recipe, request.runs)
                if (weights, *network) not in networks:
                    starting.find(cell.recipe, request.runs)
                    networks.add((weights, *network))

            if network not in networks:
                build.optimizer(placed, build.method(placed))
                networks.add(network)
    problems.raise_all()
    return steps
