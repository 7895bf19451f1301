"""How many threads train a run on a CPU: decided, recorded, or tried on the method itself."""

from typing import Literal

import torch

from dcp.hardware import threads
from dcp.hardware.threads import Threads
from dcp.method import flops
from dcp.method.algorithm import Method

PASS_FLOPS = 1e11  # of a pass that is tried: half a second; a small network is tried with its whole batch


def set_number(asked: int | Literal["auto"], recorded: int | None, method: Method, *, batch: int, size: int) -> Threads:
    """Have so many threads compute from here on; the method stays as it was.

    Args:
        asked: train.threads.
        recorded: what the run began with, if it goes on.
        method: what is trained, on a CPU.
        batch: images of a step.
        size: side of the views in pixels.
    """
    chosen = threads.given(asked, recorded)
    if chosen is not None:
        torch.set_num_threads(chosen.count)
        return chosen
    statistics = [(buffer, buffer.clone()) for buffer in method.buffers()]  # batch norm's move in every pass
    images = max(2, min(batch, int(PASS_FLOPS / flops.per_image(method, size))))
    x = torch.rand(images, method.online.channels, size, size)

    def forward_and_backward() -> None:
        method(x, x).losses.sum().backward()
        method.zero_grad(set_to_none=True)

    chosen = threads.tried(forward_and_backward)
    for buffer, before in statistics:
        buffer.copy_(before)
    return chosen
