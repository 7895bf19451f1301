"""Depth: L balanced linear layers select more sharply than one.

u = the mode of each layer, w = u^L, decay η of each layer, λ_d = 1, F of views. η_max = φ^(-(L-1)/L) κ^κ/(κ+1)^(κ+1)
λ_s^(-κ), κ = 1 + (L-1)/(αL); the ratio of the thresholds outside and on S falls with L. Derived here; Wang, Chen, Du,
Tian 2021 have a statement on several layers whose details could not be recovered.
"""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from dcp.catalogue import VariantConfig
from dcp.dynamics import closed_forms, flow, modes, rules
from dcp.dynamics.experiments.base import Exponents, grid, rows, two_lines
from dcp.dynamics.result import Figure, Line, Result

Layers = Annotated[tuple[Annotated[int, Field(ge=1, le=8)], ...], Field(min_length=1, max_length=8)]
ALIVE = 0.2  # u at the end over u = 1 at the start; it is either well above or falls to 0
REST = 1e-7


class Config(VariantConfig):
    """Keys of the experiment."""

    experiment: Literal["depth"] = "depth"
    sigma2: float = Field(0.5, ge=0.01, le=100, description="σ², variance of the noise outside S")
    layers: Layers = Field((1, 2, 3, 4), description="L, numbers of layers")
    alpha: Exponents = Field((1.0, 0.5), description="α, exponents of F")
    halvings: int = Field(14, ge=4, le=30, description="bisection steps for the threshold")
    time: float = Field(2000.0, ge=1, le=5000, description="length of a simulation; it ends early at rest")


def run(config: Config, seed: int) -> Result:
    """The thresholds on S and outside, and their ratio, for each L and α."""
    settings, (alpha, layers) = grid(alpha=config.alpha, layers=config.layers)
    lambda_s = torch.ones(2, len(settings), dtype=torch.float64)
    lambda_s[1] += config.sigma2
    on, off = simulated(config, lambda_s, alpha, layers)
    closed_on, closed_off = closed_forms.deep_threshold(layers, alpha, lambda_s, lambda_s)
    ratio, closed_ratio = off / on, closed_off / closed_on
    pairs = {
        "eta_max on S": (on, closed_on),
        "eta_max outside S": (off, closed_off),
        "ratio outside / on S": (ratio, closed_ratio),
    }
    lines: list[Line] = []
    for a in config.alpha:
        at = [int(i) for i in layers.argsort(stable=True) if alpha[i] == a]
        lines += two_lines(f"α = {a:g}", layers[at], ratio[at], closed_ratio[at])
    figure = Figure(
        "Depth sharpens the selection", "layers L", "threshold outside S over that on S", tuple(lines), whole=True
    )
    notes = (
        f"Each threshold lies between two simulations {0.5**config.halvings:.1g} apart in η.",
        "Derived here; the paper's statement on several layers is unverified.",
    )
    return Result(tuple(rows(settings, pairs)), (figure,), notes)


def simulated(config: Config, lambda_s: Tensor, alpha: Tensor, layers: Tensor) -> Tensor:
    """η [2, N] above which a mode vanishes that starts as u = 1 in every layer.

    Args:
        config: its halvings and time.
        lambda_s: [2, N].
        alpha: [N].
        layers: L, [N].
    """
    noise, one = lambda_s.flatten(), torch.ones(lambda_s.numel(), dtype=torch.float64)

    def vanished(u: Tensor) -> Tensor:  # a mode alone never turns, so what is as small as this goes on to 0
        return u[:, 0] < ALIVE

    def survives(eta: Tensor) -> Tensor:
        parameters = modes.Modes(*(each[:, None] for each in (noise, one, eta, noise)))
        derivative = modes.deep(parameters, rules.rule(alpha.repeat(2)), layers.repeat(2)[:, None])
        return ~vanished(flow.advance(derivative, one[:, None], config.time, rest=REST, decided=vanished))

    return flow.boundary(survives, torch.zeros_like(one), one, halvings=config.halvings).view(2, -1)
