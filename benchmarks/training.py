"""Training as `dcp pretrain` does it, with something else measured in turn with its epochs."""

import copy
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as fn

from benchmarks.measure import settle
from dcp.hardware.malloc import keep_freed_memory
from dcp.method.networks import Branch
from dcp.recipe.recipe import Recipe
from dcp.training.request import Request
from dcp.training.trainer import Trainer

Turn = Callable[[str], float]  # what is done between two epochs: from the device to images a second


def timed(
    run: Callable[[], float], prepare: Callable[[], None] = lambda: None, finish: Callable[[], None] = lambda: None
) -> Turn:
    """A turn in which `run`, which returns how many images, is on the clock, `prepare` and `finish` are off it."""

    def rate(device: str) -> float:
        prepare()
        settle(device)
        began = time.perf_counter()
        done = run()
        settle(device)
        took = time.perf_counter() - began
        finish()
        return done / took

    return rate


def epochs_in_turn(
    recipe: Recipe, device: str, other: Callable[[Trainer], Turn]
) -> tuple[list[float], list[float], Trainer]:
    """Images a second of each epoch of a real run but the first, and those of `other` between the epochs.

    Args:
        recipe: its data must be whole batches.
        device: "cpu" or "cuda".
        other: from the run that is about to begin to what is done between epochs.
    """
    if device == "cpu":
        keep_freed_memory()  # as `dcp pretrain` does
    clock = _Clock(device)
    with tempfile.TemporaryDirectory() as folder:
        training = Trainer(recipe, Request(Path(folder), device=device, watch=clock))
        clock.between, clock.images = other(training), training.parts.plan.images
        training.run()
    return clock.ours[1:], clock.others[1:], training


class _Clock:
    """Watches a run: an epoch's time ends with its line; then the other thing has its turn."""

    def __init__(self, device: str) -> None:
        self.device, self.images = device, 0
        self.between: Turn = lambda device: 0.0
        self.ours: list[float] = []
        self.others: list[float] = []
        self.started = 0.0

    def __call__(self, line: dict[str, Any]) -> None:
        if line["kind"] == "epoch":
            settle(self.device)
            self.ours.append(self.images / (time.perf_counter() - self.started))
            self.others.append(self.between(self.device))
        if line["kind"] in ("start", "epoch"):
            self.started = time.perf_counter()


def nothing(training: Trainer) -> Turn:
    """Nothing between the epochs."""
    return lambda device: 0.0


def bare(training: Trainer, steps: int) -> Turn:
    """The step without views, moments, predictor, EMA, logging and data: two branches, a loss, gradients, SGD.

    The networks are copies of the run's, in the same memory format and arithmetic; the views are
    noise on the device.
    """
    recipe, device = training.recipe, training.process.device
    online: Branch = copy.deepcopy(training.parts.method.online)
    target: Branch = copy.deepcopy(online).requires_grad_(False)
    optimizer = torch.optim.SGD(online.parameters(), lr=1e-3, momentum=0.9)
    size, batch = recipe.data.view_size, recipe.train.batch
    x1, x2 = (torch.randn(batch, 3, size, size, device=device) for _ in (0, 1))
    amp = training.parts.precision.amp

    def run() -> float:
        for _ in range(steps):
            with torch.autocast(device.type, dtype=amp or torch.bfloat16, enabled=amp is not None):
                z1, z2, t1, t2 = branches(online, target, x1, x2)
            loss = -(fn.cosine_similarity(z1, t2) + fn.cosine_similarity(z2, t1)).mean()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return float(steps * batch)

    return timed(run)


def branches(online: Branch, target: Branch, x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Projections of two views by both branches, one view after the other."""
    z1, z2 = online(x1), online(x2)
    with torch.no_grad():
        return z1, z2, target(x1), target(x2)
