"""Regimes under the cosine loss: decay that would collapse everything shrinks the norms until features are stable.

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
from dcp.dynamics.experiments.base import Positives
from dcp.dynamics.result import Figure, Line, Result, Row, line

Decays = Annotated[tuple[Annotated[float, Field(ge=0.01, le=10)], ...], Field(min_length=1, max_length=8)]
ALIVE = 0.05  # p at the end over p at the start


class Config(VariantConfig):
    """Keys of the experiment."""

    experiment: Literal["bao"] = "bao"
    sigma2: float = Field(0.5, ge=0, le=100, description="σ², isotropic noise")
    eta: Decays = Field((0.05, 0.2, 0.8), description="η, weight decays of the runs with free norms")
    p: Positives = Field((0.5, 1.0, 2.0, 3.0), description="p of the modes at the start")
    halvings: int = Field(16, ge=4, le=30, description="of the bracket around the boundary")
    shrink: float = Field(0.02, ge=0.005, lt=1, description="the runs end when decay alone has left this share of p")


def run(config: Config, seed: int) -> Result:
    """The boundary with norms held fixed; then free norms: every mode survives, and the boundary is passed."""
    start = torch.tensor([config.p], dtype=torch.float64)
    found, known = _boundary(config, start)
    rows = [Row({"norms": "held"}, "eta at the boundary", found, known)]
    lines: list[Line] = []
    for eta in config.eta:
        times, path = _free(config, start, eta)
        limits = _limits(config, path)
        spread = float(path[-1].min() / path[-1].max())
        setting: dict[str, float | str] = {"norms": "free", "eta": eta}
        rows.append(Row(setting, "least over largest p at the end", spread, 1.0))
        lines.append(line(f"η = {eta:g}: boundary over η", (eta * times).tolist(), (limits / eta).tolist()))
    lines.append(line("above 1 features are stable", [0.0, _length(config)], [1.0, 1.0]))
    figure = Figure("The boundary rises as the norms shrink", "η · time", "boundary over η", tuple(lines), log=True)
    notes = (
        "Held norms: above the boundary everything collapses. Free norms: no weight decay removes a mode.",
        "The formula is derived here; the paper's own, and the names of its regimes, are unverified.",
    )
    return Result(tuple(rows), (figure,), notes)


def _boundary(config: Config, start: Tensor) -> tuple[float, float]:
    """η above which all modes vanish, norms as at the start: simulated, and by the closed form."""
    sigma2 = torch.full((1, 1), config.sigma2, dtype=torch.float64)
    ratio, size = modes.parabola_norms(start, sigma2)
    norms = torch.cat([ratio, size], 1)
    large = 1 / ((1 + sigma2) * ratio)  # p without decay
    duration = 400 * float(size / large)  # in units of λ_s/λ_d², as in the phase diagram

    def survives(eta: Tensor) -> Tensor:
        derivative = modes.learnt_cosine(sigma2, eta[:, None], norms)
        return (flow.advance(derivative, large, duration, tol=1e-7, rest=1e-9) > ALIVE * large)[:, 0]

    known = closed_forms.threshold((1 + sigma2) * ratio / size, 1 / size)
    found = flow.boundary(survives, torch.zeros(1).double(), (1 / size * large)[0], halvings=config.halvings)
    return float(found), float(known)


def _free(config: Config, start: Tensor, eta: float) -> tuple[Tensor, Tensor]:
    times = torch.linspace(0, _length(config) / eta, 101, dtype=torch.float64)
    sigma2 = torch.full((1, 1), config.sigma2, dtype=torch.float64)
    derivative = modes.learnt_cosine(sigma2, torch.full_like(sigma2, eta))
    return times, flow.course(derivative, start, times, tol=1e-7)[:, 0]


def _length(config: Config) -> float:
    return -math.log(config.shrink)


def _limits(config: Config, path: Tensor) -> Tensor:
    """The boundary [T] that the norms of each moment give."""
    sigma2 = torch.full((1, 1), config.sigma2, dtype=torch.float64)
    ratio, size = modes.parabola_norms(path, sigma2)
    return closed_forms.threshold((1 + sigma2) * ratio / size, 1 / size)[:, 0]
