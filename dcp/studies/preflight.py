"""Before the first run of a study trains: whether all of them can. Each data set is opened once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dcp.data.datasets import base
from dcp.data.datasets.base import DataConfig, Split
from dcp.hardware.device import choose_device
from dcp.probing import probe
from dcp.recipe import build
from dcp.recipe.recipe import Recipe
from dcp.runs.run import Run
from dcp.studies.grid import LEFT, Cell, State
from dcp.studies.study import Study
from dcp.studies.validate import Gathered
from dcp.training import resume
from dcp.training.request import Request


@dataclass
class Seen:
    """What has been looked at, so that it is looked at once.

    Attributes:
        images: number and fingerprint of the images of each [data].
        probes: labelled images that are there.
        networks: recipes whose networks could be built, without what does not shape them.
    """

    images: dict[DataConfig, tuple[int, str]] = field(default_factory=dict)
    probes: set[tuple[DataConfig, tuple[Split, ...]]] = field(default_factory=set)
    networks: list[tuple[object, ...]] = field(default_factory=list)

    def data(self, config: DataConfig) -> tuple[int, str]:
        """How many images there are to train with, and their fingerprint."""
        if config not in self.images:
            data = base.load(config, "pretrain")
            self.images[config] = len(data), data.fingerprint()
        return self.images[config]

    def labelled(self, recipe: Recipe) -> None:
        """Look whether the probes' images are there, as a run does before it trains."""
        splits: tuple[Split, ...] = ("train", "test") if recipe.probe.data else ("test",)
        key = (recipe.probe.data or recipe.data, splits)
        if recipe.probe.after and key not in self.probes:
            probe.loaded(recipe, only=splits)
            self.probes.add(key)

    def network(self, recipe: Recipe) -> None:
        """Build the network, the predictor and the optimizer once."""
        key = (
            recipe.network,
            recipe.data.view_size,
            recipe.predictor,
            recipe.target,
            recipe.objective,
            recipe.optimizer,
        )
        if key not in self.networks:
            build.optimizer(recipe, build.method(recipe))
            self.networks.append(key)


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
    seen, steps = Seen(), {}
    wrong = Gathered(study.source, [arm.name for arm in study.arms])
    for arm in study.arms:
        mine = {cell: state for cell, state in states.items() if cell.arm == arm and state in LEFT}
        with wrong.arm(arm.name):
            if mine:
                steps[arm.name] = _arm(mine, seen, request.runs, request.processes)
    wrong.tell()
    return steps


def _arm(mine: Mapping[Cell, State], seen: Seen, runs: Path, processes: int) -> int:
    """Steps of a run of one arm, once all that it needs is there."""
    recipe = next(iter(mine)).recipe
    recipe.views.blur.kernel_at(recipe.data.view_size)
    images, fingerprint = seen.data(recipe.data)
    steps = build.plan(recipe, images, processes).steps
    seen.labelled(recipe)
    seen.network(recipe)
    for cell in (cell for cell, state in mine.items() if state == "stopped"):
        resume.check(Run.open(cell.path(runs)), fingerprint=fingerprint, steps=steps)
    return steps
