"""Replayed steps are the eager ones: same order of updates, nothing that a capture freezes. Without a GPU.

In place of a CUDA graph stands a rerun: like a graph it holds the very call and the very input tensors of the capture,
changes nothing when it is made, and writes its results where those of the first time lie. Whatever changes from step to
step and is not in the inputs would keep the value of the capture, and show.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from dcp.data.views.on_device import DeviceViews
from dcp.hardware.graph import EAGER, Graph
from dcp.recipe.recipe import Recipe
from dcp.training.loop import Loop
from dcp.training.request import Request
from dcp.training.signals import Signals
from dcp.training.trainer import Trainer

SMALL = ("data.images=60", "train.batch=8", "train.epochs=3", "train.precision=fp32")  # 7 whole batches and one of 4
CALM = ("optimizer.lr=0.001", "network.norm=group", "network.projector.norm=layer")  # a rounding grows slowly
STEPS = 24
VARIANTS = {
    "directcopy": (),
    "directpred, set between replays": ("predictor.name=directpred",),
    "set at every 5th step": ("predictor.name=directcopy", "predictor.every=5"),
    "byol, tau rises": ("predictor.name=mlp", "target.name=ema", "target.schedule=cosine", "target.tau=0.9"),
    "lars, warm-up": ("optimizer.name=lars", "optimizer.warmup_epochs=1", "optimizer.schedule=cosine"),
    "adamw": ("optimizer.name=adamw", "optimizer.lr=0.001", "optimizer.schedule=cosine"),
    "labels": ("positives.name=semppl", "positives.labelled=0.5", "positives.queue=32"),
    "immediate": ("moments.timing=immediate",),
    "rho rises": ("moments.rho=0.1", "moments.rho_end=0.9", "moments.rho_schedule=cosine"),
    "clipped from the second epoch on": ("optimizer.clip=0.05", "optimizer.clip_from=1"),
    "peira": (
        *("predictor.name=identity", "target.name=shared", "objective.name=peira", "moments.timing=immediate"),
        *("moments.rho=0.2", "moments.rho_end=0.5", "optimizer.clip=0.1", "optimizer.clip_from=1"),
    ),
}


class Rerun(Graph[Any, Any]):
    """Stands for a CUDA graph on a CPU."""

    def __init__(self, state: Callable[[], Iterator[Tensor]]) -> None:
        super().__init__(lambda why: pytest.fail(why))
        self.state, self.replays = state, 0

    def _watched(self, function: Callable[[Any], Any], inputs: Any) -> Any:
        return function(inputs)

    def _captured(self, function: Callable[[Any], Any], inputs: Any) -> Any:
        before, generator = [x.clone() for x in self.state()], torch.get_rng_state()
        result = function(inputs)
        torch.set_rng_state(generator)
        for x, old in zip(self.state(), before, strict=True):
            x.copy_(old)  # a capture computes nothing
        self.again = partial(function, inputs)
        return result

    def _replay(self) -> None:
        self.replays += 1
        for mine, new in zip(self.result, self.again(), strict=True):
            if mine is not None:
                mine.copy_(new)


def state_of(loop: Loop) -> Iterator[Tensor]:
    """Everything that a step changes."""
    step = loop.take
    yield from (x.data for module in (loop.method, step.readout) for x in (*module.parameters(), *module.buffers()))
    for values in step.parts.optimizer.state.values():
        yield from (x for x in values.values() if isinstance(x, Tensor))
    yield step.ring


def trained(sets: tuple[str, ...], folder: Path, *, tensors: bool, replays: bool) -> list[Tensor]:
    """The state after STEPS steps, and the losses on the way."""
    trainer = Trainer(Recipe.read("tiny/directcopy", (*SMALL, *sets)), Request(folder, device="cpu"))
    loop = trainer.loop(None, {}, Signals())
    step = loop.take
    if tensors:  # as on a GPU
        step.on_cuda = True
        predictor = loop.method.predictor
        step.sets_within = not (predictor.refresh_waits or predictor.every > 1)
        views, size = trainer.recipe.views, trainer.recipe.data.view_size
        step.batch_views.on_device = [DeviceViews(views, size=size, seed=0, device=torch.device("cpu"))]
        for group in step.parts.optimizer.param_groups:
            group["lr"] = torch.tensor(group["lr"])
    if replays:
        step.graph = Rerun(partial(state_of, loop))
    losses = []
    for batch in trainer.batches(0):
        loop.step(batch)
        losses.append(loop.metrics.ring.clone())
    assert len(losses) == STEPS
    if replays:
        assert step.graph.replays == 3 * 7 - EAGER
    return [*losses, *(x.clone() for x in state_of(loop))]


@pytest.mark.parametrize("name", VARIANTS)
def test_replayed_steps_are_the_eager_ones_to_the_bit(name: str, tmp_path: Path) -> None:
    eager = trained(VARIANTS[name], tmp_path / "eager", tensors=True, replays=False)
    replayed = trained(VARIANTS[name], tmp_path / "replayed", tensors=True, replays=True)
    assert len(eager) == len(replayed)
    assert all(torch.equal(a, b) for a, b in zip(eager, replayed, strict=True))


@pytest.mark.parametrize("name", VARIANTS)
def test_what_a_gpu_computes_is_what_a_cpu_does(name: str, tmp_path: Path) -> None:
    here = trained((*CALM, *VARIANTS[name]), tmp_path / "cpu", tensors=False, replays=False)
    there = trained((*CALM, *VARIANTS[name]), tmp_path / "gpu", tensors=True, replays=False)
    torch.testing.assert_close(there[6], here[6], atol=0, rtol=1e-4)  # the losses of the first 7 steps


def test_a_function_that_cannot_be_captured_is_called_for_good_and_says_why_once() -> None:
    class One(NamedTuple):
        x: Tensor

    class Failing(Rerun):
        def _captured(self, function: Callable[[Any], Any], inputs: Any) -> Any:
            try:
                raise ValueError("the cause\nand more")
            finally:
                raise RuntimeError("what came of it")  # as the end of a capture does

    said: list[str] = []
    graph = Failing(lambda: iter(()))
    graph.failed = said.append
    seen = [int(graph(lambda one: One(one.x + 1), One(torch.tensor(number))).x) for number in range(6)]
    assert seen == [1, 2, 3, 4, 5, 6]
    assert said == ["the capture failed: ValueError: the cause"]
