"""Flows: dy/dt = f(y) for many settings at once, each with steps of its own, and where an outcome changes.

The pair of orders 5 and 4 of Dormand and Prince (1980). A setting that needs small steps does not slow the error
control of the others down: steps are taken, or taken back, setting by setting.

Shapes: N settings; a state is [N, ...], and a derivative has the shape of its state.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Derivative = Callable[[Tensor], Tensor]
Decided = Callable[[Tensor], Tensor]

STAGES = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),  # the step itself
)
ERROR = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)  # order 5 less order 4
MOST_STEPS = 4_000  # of a whole course
FIRST_STEP, LEAST_STEP = 1e-3, 1e-13


def advance(
    derivative: Derivative,
    state: Tensor,
    duration: Tensor | float,
    *,
    tol: float = 1e-9,
    rest: float = 0.0,
    decided: Decided | None = None,
) -> Tensor:
    """The states after `duration`.

    Args:
        derivative: f; must treat the settings apart.
        state: [N, ...] at the beginning.
        duration: of all settings, or [N].
        tol: of the error of a step, relative to the state where that is above 1.
        rest: a setting whose speed |f| is nowhere above this ends early.
        decided: which settings [N], boolean, end early because the rest of their way is known.

    Raises:
        ArithmeticError: more than `MOST_STEPS` steps, or steps below `LEAST_STEP`, would be needed.
    """
    left = torch.as_tensor(duration, dtype=state.dtype).expand(len(state))
    return _advance(derivative, _Progress(state, left, torch.full_like(left, FIRST_STEP)), tol, rest, decided).state


@dataclass
class _Progress:
    """Where a flow is: its states, the times left [N], the next steps [N], and how many steps have been tried."""

    state: Tensor
    left: Tensor
    h: Tensor
    tried: int = 0


def _advance(
    derivative: Derivative, now: _Progress, tol: float, rest: float = 0.0, decided: Decided | None = None
) -> _Progress:
    """Until no time is left, or each setting rests or is decided."""
    speed = derivative(now.state)
    while True:
        moving = (now.left > 0) & ~(_largest(speed) <= rest)
        if decided is not None:
            moving = moving & ~decided(now.state)
        if not bool(moving.any()):
            now.h = now.h.clamp_min(FIRST_STEP)
            return now
        h = torch.minimum(now.h, now.left)
        reached, last, error = _step(derivative, now.state, speed, h, tol)
        taken = moving & (error <= 1)
        speed = torch.where(_wide(taken, speed), last, speed)
        now.state = torch.where(_wide(taken, now.state), reached, now.state)
        now.left = now.left - torch.where(taken, h, 0.0)
        now.h, now.tried = h * (0.9 * error.clamp_min(1e-10) ** -0.2).clamp(0.2, 5.0), now.tried + 1
        refused = (h < now.left) & moving & ~taken
        if bool(((now.h < LEAST_STEP) & refused).any()):
            raise ArithmeticError(f"the flow needs steps below {LEAST_STEP}")
        if now.tried >= MOST_STEPS:
            raise ArithmeticError(f"the flow needs more than {MOST_STEPS:,} steps")


def course(derivative: Derivative, state: Tensor, times: Tensor, *, tol: float = 1e-9) -> Tensor:
    """The states [T, N, ...] at `times` [T], which rise from 0 on."""
    path, now = [], _Progress(state, state, torch.full((len(state),), FIRST_STEP, dtype=state.dtype))
    for span in times.diff(prepend=times.new_zeros(1)):
        now.left = span.expand(len(state))
        path.append(_advance(derivative, now, tol).state)
    return torch.stack(path)


def speed(derivative: Derivative, state: Tensor) -> Tensor:
    """How fast each setting still moves, [N]: the largest entry of |f|."""
    return _largest(derivative(state))


def boundary(holds: Callable[[Tensor], Tensor], low: Tensor, high: Tensor, *, halvings: int) -> Tensor:
    """Where `holds` changes from true, at `low` [N], to false, at `high` [N]; off by (high - low) / 2^(halvings + 1).

    Args:
        holds: [N] -> boolean [N].
        low: where it is true.
        high: where it is false.
        halvings: of the bracket.
    """
    for _ in range(halvings):
        middle = (low + high) / 2
        true = holds(middle)
        low, high = torch.where(true, middle, low), torch.where(true, high, middle)
    return (low + high) / 2


def _step(derivative: Derivative, state: Tensor, speed: Tensor, h: Tensor, tol: float) -> tuple[Tensor, Tensor, Tensor]:
    """The state after one step of `h` [N], f there, and the error of each setting over what is allowed."""
    wide, speeds = _wide(h, state), [speed]
    for weights in STAGES:
        reached = state + wide * sum(a * k for a, k in zip(weights, speeds, strict=True) if a)
        speeds.append(derivative(reached))
    error = wide * sum(e * k for e, k in zip(ERROR, speeds, strict=True) if e)
    allowed = tol * torch.maximum(state.abs(), reached.abs()).clamp_min(1.0)
    return reached, speeds[-1], _largest(error / allowed).nan_to_num(nan=torch.inf)


def _largest(values: Tensor) -> Tensor:
    return values.abs().flatten(1).amax(1)


def _wide(values: Tensor, state: Tensor) -> Tensor:
    """[N] as [N, 1, ...], to stand beside a state."""
    return values.view(-1, *[1] * (state.ndim - 1))
