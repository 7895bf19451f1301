"""Where a step goes: the time of its parts, one after the other, each waited for."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch

from benchmarks.measure import Row, Scale, Spread, settle
from benchmarks.step import CPU, GPU, QUICK, Case, recipe
from dcp.data.loader import Shares, batches
from dcp.hardware.malloc import keep_freed_memory
from dcp.method.moments import full
from dcp.training.request import Request
from dcp.training.trainer import Trainer

PARTS = ("views", "online branch, loss", "target branch", "backward", "optimizer", "F and W", "EMA", "readouts")


def tasks(scale: Scale) -> list[partial[list[Row]]]:
    """The CIFAR network."""
    case = (QUICK if scale.quick else GPU if scale.device == "cuda" else CPU)[0]
    return [partial(measured, scale, case)]


def measured(scale: Scale, case: Case) -> list[Row]:
    """Share of each part in the step, in percent."""
    torch.set_num_threads(scale.threads)
    clock = Clock(scale.device)
    with tempfile.TemporaryDirectory() as folder:
        training = Trainer(recipe(case, 2), Request(Path(folder), device=scale.device))
    if scale.device == "cpu":
        keep_freed_memory()  # as `dcp pretrain` does
    for step in _steps(training, clock):
        if step:  # the first one warms up
            clock.turn()
    shares = clock.shares()
    return [Row(f"parts of a step, {case.name}", name, "%", Spread.of(shares[name])) for name in PARTS]


class Clock:
    """Adds up the seconds of named parts, step by step."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.now: dict[str, float] = {}
        self.steps: list[dict[str, float]] = []

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """What happens in this block counts to `name`."""
        settle(self.device)
        started = time.perf_counter()
        yield
        settle(self.device)
        self.now[name] = self.now.get(name, 0.0) + time.perf_counter() - started

    def turn(self) -> None:
        """A step is over and counts."""
        self.steps.append(self.now)
        self.now = {}

    def shares(self) -> dict[str, list[float]]:
        """Percent of the sum of all parts, for each step."""
        return {name: [100 * step[name] / sum(step.values()) for step in self.steps] for name in PARTS}


def _steps(training: Trainer, clock: Clock) -> Iterator[int]:
    """The training step of `dcp.training.loop` and `dcp.method.algorithm`, taken apart."""
    method, recipe, device = training.parts.method, training.recipe, training.process.device
    shares = Shares(training.parts.plan, 0, 0)
    stream = batches(training.data.images, shares, recipe.views, size=recipe.data.view_size, device=device, workers=0)
    for step in range(min(training.parts.plan.steps, 6)):
        clock.now = {} if step == 1 else clock.now
        with clock.part("views"):
            batch = next(stream)
        with clock.part("online branch, loss"):
            with method.arithmetic(batch.x1):
                h, h2 = method.two_views(method.online.backbone, (batch.x1, batch.x2))
                z1, z2 = map(full, method.two_views(method.online.projector, (h, h2)))
            p1, p2 = method.predictor(z1), method.predictor(z2)
        with clock.part("target branch"), method.arithmetic(batch.x1):
            t1, t2 = map(full, method.two_views(method.target, (batch.x1, batch.x2), (z1, z2)))
        with clock.part("online branch, loss"):
            loss = (method.objective(p1, z1, t2) + method.objective(p2, z2, t1)).mean()
        with clock.part("backward"):
            loss.backward()
        with clock.part("optimizer"):
            training.parts.optimizer.step()
            training.parts.optimizer.zero_grad(set_to_none=True)
        with clock.part("F and W"), torch.no_grad():
            method.moments.store(method.blends(torch.stack([z1, z2]).detach(), None)[1])
            method.predictor.refresh(method.moments.F)
        with clock.part("EMA"):
            method.target.update(method.online, 0.5)
        with clock.part("readouts"):
            assert training.readout is not None
            training.readout.add(full(h).detach(), batch.index)
        yield step
