"""Training as `dcp pretrain` does it, a turn at a time, and the bare step that it is measured beside."""

import copy
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as fn

from benchmarks.captured import captured
from benchmarks.measure import Turn, timed
from dcp.data.datasets.base import Dataset
from dcp.data.loader import Batch
from dcp.hardware.malloc import keep_freed_memory
from dcp.method.networks import Branch
from dcp.recipe.recipe import Recipe
from dcp.runs.run import Run
from dcp.training import record
from dcp.training.loop import Loop
from dcp.training.request import Request
from dcp.training.signals import Signals
from dcp.training.trainer import Trainer

# Epochs of a training that is stopped long before: so few of its steps are examined as are of a real one.
LONG = 10_000
CLASSES = 10


class Noise(Trainer):
    """A trainer on noise of the recipe's size: what is in images does not matter to the time, and drawing them does."""

    def images(self) -> Dataset:
        """Noise."""
        return _noise(len_of(self.recipe), self.recipe.data.view_size)


@cache
def _noise(images: int, size: int) -> Dataset:
    pixels = torch.randint(0, 256, (images, 3, size, size), dtype=torch.uint8)
    return Dataset(pixels, torch.arange(images) % CLASSES, tuple(map(str, range(CLASSES))))


def len_of(recipe: Recipe) -> int:
    """How many images a recipe for made-up images asks for."""
    count: int = recipe.data.images  # type: ignore[attr-defined]
    return count


class Training(NamedTuple):
    """A training that has begun."""

    trainer: Trainer
    loop: Loop
    batches: Iterator[Batch]  # those that are still to come
    turn: Turn  # images a second of the next epoch

    def steps(self, count: int) -> None:
        """Take the next steps, as `dcp pretrain` does."""
        self.loop.train(islice(self.batches, count))


@contextmanager
def begun(recipe: Recipe, device: str) -> Iterator[Training]:
    """A training by `dcp pretrain`'s own loop, with its run folder, whose epochs are taken turn by turn.

    Args:
        recipe: its data must be whole batches, and its epochs more than are taken.
        device: "cpu" or "cuda".
    """
    if device == "cpu":
        keep_freed_memory()  # as `dcp pretrain` does
    with tempfile.TemporaryDirectory() as folder:
        trainer = Noise(recipe, Request(Path(folder), device=device))
        parts = trainer.parts
        facts = record.beginning(trainer.data, recipe, trainer.fingerprint, parts.plan, parts.method)
        sitting = trainer.sitting()
        facts |= {**sitting, "sittings": [{"started": record.now(), "step": 0, **sitting}]}
        run = Run.create(Path(folder), recipe.run.name, recipe.run.seed, recipe.toml(), facts)
        loop, batches = trainer.loop(run, {}, Signals()), trainer.batches(0)

        def epoch() -> float:
            loop.train(islice(batches, parts.plan.steps_per_epoch))
            return float(parts.plan.images)

        yield Training(trainer, loop, batches, timed(epoch, device))


def bare(trainer: Trainer, steps: int, *, graph: bool = False) -> Turn:
    """Images a second of the step without views, moments, predictor, EMA, logging and data, eager or as a CUDA graph.

    It is two branches, a loss, gradients, SGD. The networks are copies of the run's, in the same memory format and
    arithmetic; the views are noise on the device.
    """
    recipe, device = trainer.recipe, trainer.process.device
    online: Branch = copy.deepcopy(trainer.parts.method.online)
    target: Branch = copy.deepcopy(online).requires_grad_(False)
    optimizer = torch.optim.SGD(online.parameters(), lr=1e-3, momentum=0.9, fused=device.type == "cuda" or None)
    size, batch = recipe.data.view_size, recipe.train.batch
    x1, x2 = (torch.randn(batch, 3, size, size, device=device) for _ in (0, 1))
    amp = trainer.parts.precision.amp

    def step() -> None:
        with torch.autocast(device.type, dtype=amp or torch.bfloat16, enabled=amp is not None):
            z1, z2, t1, t2 = branches(online, target, x1, x2)
        loss = -(fn.cosine_similarity(z1, t2) + fn.cosine_similarity(z2, t1)).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    taken = captured(step, device.type) if graph else step
    return timed(times(taken, steps, steps * batch), device.type)


def times(work: Callable[[], object], count: int, units: float) -> Callable[[], float]:
    """The work so many times over, which is so many units."""

    def run() -> float:
        for _ in range(count):
            work()
        return float(units)

    return run


def branches(online: Branch, target: Branch, x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Projections of two views by both branches, one view after the other."""
    z1, z2 = online(x1), online(x2)
    with torch.no_grad():
        return z1, z2, target(x1), target(x2)
