"""Depth: L balanced linear layers select more sharply than one.

u = the mode of each layer, w = u^L, decay η of each layer, λ_d = 1, F of views. η_max = φ^(-(L-1)/L) κ^κ/(κ+1)^(κ+1)
λ_s^(-κ), κ = 1 + (L-1)/(αL); the ratio of the thresholds outside and on S falls with L. Derived here; Wang, Chen, Du,
Tian 2021 have a statement on several layers whose details could not be recovered.
"""

from itertools import product
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from dcp.dynamics import closed, flow, modes, rules
from dcp.dynamics.result import Figure, Line, Result, Row, line
from dcp.experiment import Exponents
from dcp.variants import VariantConfig

Layers = Annotated[tuple[Annotated[int, Field(ge=1, le=20)], ...], Field(min_length=1, max_length=20)]
ALIVE = 0.2  # u at the end over u = 1 at the start; it is either well above or falls to 0


class Config(VariantConfig):
    """Keys of the experiment."""

    experiment: Literal["depth"] = "depth"
    sigma2: float = Field(0.5, gt=0, le=100, description="σ², variance of the noise outside S")
    layers: Layers = Field((1, 2, 3, 4), description="L, numbers of layers")
    alpha: Exponents = Field((1.0, 0.5), description="α, exponents of F")
    halvings: int = Field(14, ge=4, le=40, description="of the bracket around the threshold")
    time: float = Field(2000.0, gt=0, le=1e5, description="length of a simulation")


def run(config: Config, seed: int) -> Result:
    """The thresholds on S and outside, and their ratio, for each L and α."""
    rows: list[Row] = []
    lines: list[Line] = []
    lambda_s = torch.tensor([1.0, 1 + config.sigma2], dtype=torch.float64)
    ratios = []
    for alpha, layers in product(config.alpha, config.layers):
        of = torch.full_like(lambda_s, alpha)
        found = simulated(config, lambda_s, of, layers)
        known = closed.deep_threshold(torch.tensor(float(layers), dtype=torch.float64), of, lambda_s, lambda_s)
        setting = {"alpha": alpha, "layers": layers}
        rows += [
            Row(setting, "eta_max on S", float(found[0]), float(known[0])),
            Row(setting, "eta_max outside S", float(found[1]), float(known[1])),
            Row(setting, "ratio outside / on S", float(found[1] / found[0]), float(known[1] / known[0])),
        ]
        ratios.append((float(found[1] / found[0]), float(known[1] / known[0])))
    for i, alpha in enumerate(config.alpha):
        part = ratios[i * len(config.layers) : (i + 1) * len(config.layers)]
        for j, name in enumerate(("simulated", "closed form")):
            lines.append(line(f"α = {alpha:g}, {name}", [float(n) for n in config.layers], [each[j] for each in part]))
    figure = Figure("Depth sharpens the selection", "layers L", "threshold outside S over that on S", tuple(lines))
    return Result(tuple(rows), (figure,), ("Derived here; the paper's statement on several layers is unverified.",))


def simulated(config: Config, lambda_s: Tensor, alpha: Tensor, layers: int) -> Tensor:
    """η [N] above which a mode vanishes that starts as u = 1 in every layer."""
    one, by = torch.ones_like(lambda_s), rules.rule(alpha)

    def survives(eta: Tensor) -> Tensor:
        of = modes.Modes(*(each[:, None] for each in (lambda_s, one, eta, lambda_s)))
        return flow.advance(modes.deep(of, by, layers), one[:, None], config.time, tol=1e-6, rest=1e-8)[:, 0] > ALIVE

    return flow.boundary(survives, torch.zeros_like(one), one, halvings=config.halvings)
