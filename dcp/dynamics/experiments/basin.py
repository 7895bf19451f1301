"""The basin of attraction: how large W must start for features to survive at all, with ε = 0.

W(0) = δI converges for δ above p₋^(1/(2α)) and collapses below, p₋ = (1 - √(1-4η))/2 on S. Derived here.
"""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from dcp.catalogue import VariantConfig
from dcp.dynamics import closed_forms, flow, modes, rules
from dcp.dynamics.experiments.base import Exponents, grid, rows, two_lines
from dcp.dynamics.result import Figure, Line, Result

Decays = Annotated[tuple[Annotated[float, Field(ge=1e-3, le=0.249)], ...], Field(min_length=1, max_length=20)]
ALIVE = 0.1  # share of the start at which a mode has vanished
GROWN = 1.01  # share of the start at which it has not
DOUBLINGS = 60  # of the start, at most: below p₋^(1/(2α)) of the smallest η and α


class Config(VariantConfig):
    """Keys of the experiment."""

    experiment: Literal["basin"] = "basin"
    eta: Decays = Field((0.05, 0.1, 0.15, 0.2, 0.24), description="η, weight decays below 1/4")
    alpha: Exponents = Field((1.0, 0.5, 2.0), description="α, exponents of F")
    halvings: int = Field(16, ge=4, le=30, description="bisection steps for the smallest start, from a factor of 2")
    time: float = Field(200.0, ge=20, le=1000, description="length of a simulation, in units of 1/η")


def run(config: Config, seed: int) -> Result:
    """The smallest δ for each η and α."""
    settings, (alpha, eta) = grid(alpha=config.alpha, eta=config.eta)
    one = torch.ones_like(eta)
    smallest, closed = simulated(config, alpha, eta), closed_forms.smallest_start(one, one, eta, alpha, one)
    lines: list[Line] = []
    for a in sorted(set(config.alpha)):
        at = [int(i) for i in eta.argsort(stable=True) if alpha[i] == a]
        lines += two_lines(f"α = {a:g}", eta[at], smallest[at], closed[at])
    figure = Figure("The smallest start that survives", "weight decay η", "δ", tuple(lines))
    note = "Larger weight decay means a larger basin of collapse."
    return Result(tuple(rows(settings, {"smallest start": (smallest, closed)})), (figure,), (note,))


def simulated(config: Config, alpha: Tensor, eta: Tensor) -> Tensor:
    """δ [N] below which a mode with λ_s = λ_d = 1 vanishes."""
    one = torch.ones_like(eta)[:, None]

    def decided(w: Tensor) -> Tensor:  # a mode alone never turns, so a little growth decides
        return ((w < ALIVE) | (w > GROWN))[:, 0]

    def vanishes(start: Tensor) -> Tensor:
        parameters = modes.Modes(
            one, one, eta[:, None], start[:, None] ** 2
        )  # w in units of the start, so F in its square
        derivative = modes.squared(parameters, rules.rule(alpha))
        return flow.advance(derivative, one, config.time / eta, rest=1e-7, decided=decided)[:, 0] < ALIVE

    low = torch.ones_like(eta)
    for _ in range(DOUBLINGS):
        if bool((gone := vanishes(low)).all()):
            break
        low = torch.where(gone, low, low / 2)
    return flow.boundary(vanishes, low, 2 * low, halvings=config.halvings)
