"""How many threads train a run on a CPU: decided, recorded, or tried on the method itself."""

from collections.abc import Sequence
from typing import Literal

import torch

from dcp.hardware import threads
from dcp.hardware.processes import Process
from dcp.hardware.threads import Threads
from dcp.method import flops
from dcp.method.algorithm import Method
from dcp.recipe.recipe import Recipe

PASS_FLOPS = 1e11  # of a pass that is tried: half a second; a small network is tried with its whole batch


def set_threads(process: Process, recipe: Recipe, recorded: int | None, method: Method) -> Threads | None:
    """How many threads compute, and why; None on a GPU. Several processes share the cores as `Process` says.

    Args:
        process: this one among those that train together.
        recipe: a checked recipe.
        recorded: what the run began with, if it goes on.
        method: what is trained.
    """
    if process.device.type != "cpu":
        return None
    if process.count > 1:
        return Threads(torch.get_num_threads(), "a share of the cores")
    return set_number(recipe.train.threads, recorded, method, batch=recipe.train.batch, sizes=recipe.view_sizes)


def set_number(
    asked: int | Literal["auto"], recorded: int | None, method: Method, *, batch: int, sizes: Sequence[int]
) -> Threads:
    """Have so many threads compute from here on; the method stays as it was.

    Args:
        asked: train.threads.
        recorded: what the run began with, if it goes on.
        method: what is trained, on a CPU.
        batch: images of a step.
        sizes: sides of the views in pixels.
    """
    chosen = threads.given(asked, recorded)
    if chosen is not None:
        torch.set_num_threads(chosen.count)
        return chosen
    statistics = [(buffer, buffer.clone()) for buffer in method.buffers()]  # batch norm's move in every pass
    images = max(2, min(batch, int(PASS_FLOPS / flops.per_image(method, sizes))))
    views = [torch.rand(images, method.online.channels, size, size) for size in sizes]

    def forward_and_backward() -> None:
        method(*views).losses.sum().backward()
        method.zero_grad(set_to_none=True)

    chosen = threads.tried(forward_and_backward)
    for buffer, before in statistics:
        buffer.copy_(before)
    return chosen
