"""Regimes under the cosine loss: decay that would collapse everything shrinks the norms until the features are stable.

Learnt predictor on the parabola s = p², modes p_j: dp/dt = p²(1 - (1+σ²)p C/N_p)/√(N_p N_z) - ηp. With the norms held
fixed a stable p₊ exists iff η√(N_p N_z) < N_p/(4(1+σ²)C); with norms that follow p the left side falls, so that every
run gets there. After the idea of Bao 2023 (feature normalisation prevents collapse); the formula is derived here, and
his own, of sixth order, and his names of the regimes are unverified.
"""

import math
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from dcp.catalogue import VariantConfig
from dcp.dynamics import closed_forms, flow, modes
from dcp.dynamics.experiments.base import Positives, line
from dcp.dynamics.result import Figure, Line, Result, Row

Decays = Annotated[tuple[Annotated[float, Field(ge=0.01, le=10)], ...], Field(min_length=1, max_length=8)]
ALIVE = 0.05  # p at the end over p at the start


class Config(VariantConfig):
    """Keys of the experiment."""

    experiment: Literal["bao"] = "bao"
    sigma2: float = Field(0.5, ge=0, le=100, description="σ², isotropic noise")
    eta: Decays = Field((0.05, 0.2, 0.8), description="η, weight decays of the runs with free norms")
    p: Positives = Field((0.5, 1.0, 2.0, 3.0), description="p of the modes at the start")
    halvings: int = Field(16, ge=4, le=30, description="bisection steps for the boundary")
    shrink: float = Field(0.02, ge=0.005, lt=1, description="runs end when decay alone has left this fraction of p")


def run(config: Config, seed: int) -> Result:
    """The boundary with norms held fixed; then free norms: every mode survives, and the boundary is passed."""
    start = torch.tensor([config.p], dtype=torch.float64)
    sigma2 = torch.full((1, 1), config.sigma2, dtype=torch.float64)
    held = simulated(config, start, sigma2)
    rows = [Row({"norms": "held"}, "eta at the boundary", held, float(boundary(start, sigma2)))]
    lines: list[Line] = []
    length = -math.log(config.shrink)  # of a run with free norms, in units of 1/η
    for eta in config.eta:
        times = torch.linspace(0, length / eta, 101, dtype=torch.float64)
        derivative = modes.learnt_cosine(sigma2, torch.full_like(sigma2, eta))
        path = flow.course(derivative, start, times, tol=1e-7)[:, 0]
        spread = float(path[-1].min() / path[-1].max())
        rows.append(Row({"norms": "free", "eta": eta}, "least over largest p at the end", spread, 1.0))
        lines.append(line(f"η = {eta:g}: boundary over η", eta * times, boundary(path, sigma2) / eta))
    lines.append(line("above 1 features are stable", [0.0, length], [1.0, 1.0]))
    figure = Figure("The boundary rises as the norms shrink", "η · time", "boundary over η", tuple(lines), log=True)
    notes = (
        "Held norms: above the boundary everything collapses. Free norms: no weight decay removes a mode.",
        "The formula is derived here; the paper's own, and the names of its regimes, are unverified.",
    )
    return Result(tuple(rows), (figure,), notes)


def boundary(p: Tensor, sigma2: Tensor) -> Tensor:
    """η [N] above which all modes vanish, in closed form, with the norms of modes p [N, M]."""
    ratio, size = modes.parabola_norms(p, sigma2)
    return closed_forms.threshold((1 + sigma2) * ratio / size, 1 / size)[:, 0]


def simulated(config: Config, start: Tensor, sigma2: Tensor) -> float:
    """The same by simulation, with the norms held as at the start."""
    ratio, size = modes.parabola_norms(start, sigma2)
    norms = torch.cat([ratio, size], 1)
    large = 1 / ((1 + sigma2) * ratio)  # p without decay
    duration = 400 * float(size / large)  # in units of λ_s/λ_d², as in the phase diagram

    def survives(eta: Tensor) -> Tensor:
        derivative = modes.learnt_cosine(sigma2, eta[:, None], norms)
        return (flow.advance(derivative, large, duration, tol=1e-7, rest=1e-9) > ALIVE * large)[:, 0]

    most = (1 / size * large)[0]
    return float(flow.boundary(survives, torch.zeros_like(most), most, halvings=config.halvings))
