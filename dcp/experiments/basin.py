"""The basin of attraction: how large W must start for features to survive at all, with ε = 0.

W(0) = δI converges for δ above p₋^(1/(2α)) and collapses below, p₋ = (1 - √(1-4η))/2 on S. Derived here.
"""

from itertools import product
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from dcp.dynamics import closed, flow, modes, rules
from dcp.dynamics.result import Figure, Line, Result, Row, line
from dcp.experiment import Exponents, Rates
from dcp.variants import VariantConfig

ALIVE = 0.1  # share of the start that must be left; what survives grows or shrinks by less than half


class Config(VariantConfig):
    """Keys of the experiment."""

    experiment: Literal["basin"] = "basin"
    eta: Rates = Field((0.05, 0.1, 0.15, 0.2, 0.24), description="η, weight decays below 1/4")
    alpha: Exponents = Field((1.0, 0.5, 2.0), description="α, exponents of F")
    halvings: int = Field(20, ge=4, le=40, description="of the bracket around the smallest start")
    time: float = Field(400.0, gt=0, le=1e5, description="length of a simulation")


def run(config: Config, seed: int) -> Result:
    """The smallest δ for each η and α."""
    points = [(a, e) for a, e in product(config.alpha, config.eta) if 0 < e < 0.25]
    if not points:
        return Result((), (), ("No weight decay lies between 0 and 1/4, so no start survives or all do.",))
    alpha, eta = torch.tensor(points, dtype=torch.float64).T
    one = torch.ones_like(eta)
    found, known = simulated(config, alpha, eta), closed.smallest_start(one, one, eta, alpha, one)
    rows = tuple(
        Row({"alpha": a, "eta": e}, "smallest start", x, y)
        for (a, e), x, y in zip(points, found.tolist(), known.tolist(), strict=True)
    )
    return Result(rows, (_figure(points, found, known),), ("Larger weight decay means a larger basin of collapse.",))


def simulated(config: Config, alpha: Tensor, eta: Tensor) -> Tensor:
    """δ [N] below which a mode with λ_s = λ_d = 1 vanishes."""
    one = torch.ones_like(eta)
    of = modes.Modes(one[:, None], one[:, None], eta[:, None], one[:, None])
    derivative = modes.squared(of, rules.rule(alpha))

    def vanishes(start: Tensor) -> Tensor:
        return flow.advance(derivative, start[:, None], config.time, tol=1e-8, rest=1e-9)[:, 0] < ALIVE * start

    return flow.boundary(vanishes, 1e-3 * one, one, halvings=config.halvings)


def _figure(points: list[tuple[float, float]], found: Tensor, known: Tensor) -> Figure:
    lines: list[Line] = []
    for alpha in sorted({a for a, _ in points}):
        chosen = sorted((e, i) for i, (a, e) in enumerate(points) if a == alpha)
        for name, values in (("simulated", found), ("closed form", known)):
            y = [float(values[i]) for _, i in chosen]
            lines.append(line(f"α = {alpha:g}, {name}", [e for e, _ in chosen], y))
    return Figure("The smallest start that survives", "weight decay η", "δ", tuple(lines))
