"""Schedules: step -> number. Pure functions of the step, so that resuming needs no state."""

import math
from typing import overload

from torch import Tensor

Number = float | Tensor  # a 0-dim tensor where it changes from one replay of a CUDA graph to the next


@overload
def cosine(start: float, end: float, fraction: float) -> float: ...
@overload
def cosine(start: float, end: float, fraction: Number) -> Number: ...
def cosine(start: float, end: float, fraction: Number) -> Number:
    """From `start` at fraction 0 to `end` at fraction 1 along half a cosine (Loshchilov, Hutter 2017, eq. 5).

    >>> cosine(0.99, 1.0, 0.5)
    0.995
    """
    if isinstance(fraction, Tensor):
        return end + (start - end) * (1 + (math.pi * fraction.clamp(0.0, 1.0)).cos()) / 2
    fraction = min(max(fraction, 0.0), 1.0)
    return end + (start - end) * (1 + math.cos(math.pi * fraction)) / 2


def linear(start: float, end: float, fraction: float) -> float:
    """From `start` at fraction 0 to `end` at fraction 1 along a straight line.

    >>> linear(0.25, 0.75, 0.5)
    0.5
    """
    return start + (end - start) * min(max(fraction, 0.0), 1.0)


def warmed_up(step: int, *, peak: float, kind: str, steps: int, warmup_steps: int) -> float:
    """Learning rate of a step: linear to `peak` over `warmup_steps`, then "constant", or "cosine" to 0.

    >>> [round(warmed_up(i, peak=1.0, kind="constant", steps=8, warmup_steps=4), 2) for i in range(6)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    """
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    if kind == "constant":
        return peak
    return cosine(peak, 0.0, (step - warmup_steps) / max(1, steps - warmup_steps))
