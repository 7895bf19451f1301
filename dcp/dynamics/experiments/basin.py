"""The basin of attraction: how large W must start for features to survive at all, with ε = 0.

W(0) = δI converges for δ above p₋^(1/(2α)) and collapses below, p₋ = (1 - √(1-4η))/2 on S. Derived here.
"""

from itertools import product
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from dcp.catalogue import VariantConfig
from dcp.dynamics import closed_forms, flow, modes, rules
from dcp.dynamics.experiments.base import Exponents
from dcp.dynamics.result import Figure, Line, Result, Row, line

Decays = Annotated[tuple[Annotated[float, Field(ge=1e-3, le=0.249)], ...], Field(min_length=1, max_length=20)]
ALIVE = 0.1  # share of the start at which a mode has vanished
GROWN = 1.01  # share of the start at which it has not
DOUBLINGS = 60  # of the start, at most: below p₋^(1/(2α)) of the smallest η and α


class Config(VariantConfig):
    """Keys of the experiment."""

    experiment: Literal["basin"] = "basin"
    eta: Decays = Field((0.05, 0.1, 0.15, 0.2, 0.24), description="η, weight decays below 1/4")
    alpha: Exponents = Field((1.0, 0.5, 2.0), description="α, exponents of F")
    halvings: int = Field(16, ge=4, le=30, description="of the bracket around the smallest start, from a factor of 2")
    time: float = Field(200.0, ge=20, le=1000, description="length of a simulation, in units of 1/η")


def run(config: Config, seed: int) -> Result:
    """The smallest δ for each η and α."""
    points = list(product(config.alpha, config.eta))
    alpha, eta = torch.tensor(points, dtype=torch.float64).T
    one = torch.ones_like(eta)
    found, known = simulated(config, alpha, eta), closed_forms.smallest_start(one, one, eta, alpha, one)
    rows = tuple(
        Row({"alpha": a, "eta": e}, "smallest start", x, y)
        for (a, e), x, y in zip(points, found.tolist(), known.tolist(), strict=True)
    )
    return Result(rows, (_figure(points, found, known),), ("Larger weight decay means a larger basin of collapse.",))


def simulated(config: Config, alpha: Tensor, eta: Tensor) -> Tensor:
    """δ [N] below which a mode with λ_s = λ_d = 1 vanishes."""

    def vanishes(start: Tensor) -> Tensor:
        return _end(config, alpha, eta, start) < ALIVE

    low = torch.ones_like(eta)
    for _ in range(DOUBLINGS):
        if bool((gone := vanishes(low)).all()):
            break
        low = torch.where(gone, low, low / 2)
    return flow.boundary(vanishes, low, 2 * low, halvings=config.halvings)


def _end(config: Config, alpha: Tensor, eta: Tensor, start: Tensor) -> Tensor:
    """The share of the start that w is at the end, [N]; a mode alone never turns, so a little growth decides."""
    one = torch.ones_like(eta)[:, None]
    of = modes.Modes(one, one, eta[:, None], start[:, None] ** 2)  # in units of the start F has its square
    derivative = modes.squared(of, rules.rule(alpha))

    def decided(w: Tensor) -> Tensor:
        return ((w < ALIVE) | (w > GROWN))[:, 0]

    return flow.advance(derivative, one, config.time / eta, rest=1e-7, decided=decided)[:, 0]


def _figure(points: list[tuple[float, float]], found: Tensor, known: Tensor) -> Figure:
    lines: list[Line] = []
    for alpha in sorted({a for a, _ in points}):
        chosen = sorted((e, i) for i, (a, e) in enumerate(points) if a == alpha)
        for name, values in (("simulated", found), ("closed form", known)):
            y = [float(values[i]) for _, i in chosen]
            lines.append(line(f"α = {alpha:g}, {name}", [e for e, _ in chosen], y))
    return Figure("The smallest start that survives", "weight decay η", "δ", tuple(lines))
