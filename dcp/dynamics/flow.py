"""Flows: dy/dt = f(y) for many settings at once, each with steps of its own, and where an outcome changes.

The pair of orders 5 and 4 of Dormand and Prince (1980). A setting that needs small steps does not slow the error
control of the others down: steps are taken, or taken back, setting by setting.

Shapes: N settings; a state is [N, ...], and a derivative has the shape of its state.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Derivative = Callable[[Tensor], Tensor]

STAGES = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
    (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),  # the step itself
)
ERROR = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)  # order 5 less order 4
MOST_STEPS = 20_000
FIRST_STEP, LEAST_STEP = 1e-3, 1e-13


def advance(
    derivative: Derivative, state: Tensor, duration: Tensor | float, *, tol: float = 1e-9, rest: float = 0.0
) -> Tensor:
    """The states after `duration`.

    Args:
        derivative: f; must treat the settings apart.
        state: [N, ...] at the beginning.
        duration: of all settings, or [N].
        tol: of the error of a step, relative to the state where that is above 1.
        rest: a setting whose speed |f| is nowhere above this ends early.

    Raises:
        ArithmeticError: more than `MOST_STEPS` steps, or steps below `LEAST_STEP`, would be needed.
    """
    left = torch.as_tensor(duration, dtype=state.dtype).expand(len(state))
    return _advance(derivative, state, left, torch.full_like(left, FIRST_STEP), tol, rest)[0]


def _advance(
    derivative: Derivative, state: Tensor, left: Tensor, h: Tensor, tol: float, rest: float
) -> tuple[Tensor, Tensor]:
    """The states after the times `left` [N], from first steps `h` [N], and the steps that come next."""
    for _ in range(MOST_STEPS):
        speed = derivative(state)
        moving = (left > 0) & (_largest(speed) > rest)
        if not moving.any():
            return state, h.clamp_min(FIRST_STEP)
        h = torch.minimum(h, left)
        reached, error = _step(derivative, state, speed, h, tol)
        taken = moving & (error <= 1)
        state = torch.where(_wide(taken, state), reached, state)
        left = left - torch.where(taken, h, 0.0)
        if bool(((h < LEAST_STEP) & (h < left) & moving & ~taken).any()):
            raise ArithmeticError(f"the flow needs steps below {LEAST_STEP}")
        h = h * (0.9 * error.clamp_min(1e-10) ** -0.2).clamp(0.2, 5.0)
    raise ArithmeticError(f"the flow needs more than {MOST_STEPS} steps")


def course(derivative: Derivative, state: Tensor, times: Tensor, *, tol: float = 1e-9) -> Tensor:
    """The states [T, N, ...] at `times` [T], which rise from 0 on."""
    found, h = [], torch.full((len(state),), FIRST_STEP, dtype=state.dtype)
    for span in times.diff(prepend=times.new_zeros(1)):
        state, h = _advance(derivative, state, span.expand(len(state)), h, tol, 0.0)
        found.append(state)
    return torch.stack(found)


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


def _step(derivative: Derivative, state: Tensor, speed: Tensor, h: Tensor, tol: float) -> tuple[Tensor, Tensor]:
    """The state after one step of `h` [N], and the error of each setting over what is allowed."""
    wide, speeds = _wide(h, state), [speed]
    for weights in STAGES:
        reached = state + wide * sum(a * k for a, k in zip(weights, speeds, strict=True) if a)
        speeds.append(derivative(reached))
    error = wide * sum(e * k for e, k in zip(ERROR, speeds, strict=True) if e)
    allowed = tol * torch.maximum(state.abs(), reached.abs()).clamp_min(1.0)
    return reached, _largest(error / allowed).nan_to_num(nan=torch.inf)


def _largest(values: Tensor) -> Tensor:
    return values.abs().flatten(1).amax(1)


def _wide(values: Tensor, state: Tensor) -> Tensor:
    """[N] as [N, 1, ...], to stand beside a state."""
    return values.view(-1, *[1] * (state.ndim - 1))
