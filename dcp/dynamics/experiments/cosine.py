"""The cosine loss has no weight-decay threshold: decay only shrinks the scale, and some noise always remains.

Mean field of -E cos(W_p W x₁, sg W x₂) in modes: S becomes isotropic, and noise modes end with (1+σ²)^(-1/α - 1) of the
w² of kept ones at any η; ‖W‖² falls exactly as e^(-2ηt), because the loss does not see the scale. Derived here; a mean
field, so a few per cent off finite dimensions.
"""

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from dcp.dynamics import closed_forms, flow, modes, rules
from dcp.dynamics.experiments.base import Exponents, Rates, Subspace, grid, line, rows
from dcp.dynamics.result import Figure, Result, unrest

SHAPE = "‖W‖² |d(W/‖W‖)/dt|"  # how fast the shape moves, were the scale 1: that of η does not move it
MOVING = 1e-5  # above it the shape is not at rest


class Config(Subspace):
    """Keys of the experiment."""

    experiment: Literal["cosine"] = "cosine"
    sigma2: float = Field(1.0, ge=0.01, le=100, description="σ², variance of the noise outside S")
    alpha: Exponents = Field((1.0, 0.5, 2.0), description="α, exponents of F")
    eta: Rates = Field((0.0, 0.1, 0.26, 1.0), description="η, weight decays")
    dim: int = Field(8, ge=2, le=64, description="D, of which the first are in S")
    kept: int = Field(3, ge=1, le=63, description="r, dimensions of S, less than dim")
    shrink: float = Field(
        1e-3, ge=1e-4, le=0.5, description="with decay, the run ends when ‖W‖² is this fraction of its start"
    )
    time: float = Field(1000.0, ge=1, le=10_000, description="length of the run without decay")


def run(config: Config, seed: int) -> Result:
    """The ratio of noise to signal, the isotropy of S and the norm of W, for each α and η."""
    settings, (alpha, eta) = grid(alpha=config.alpha, eta=config.eta)
    start = 0.5 + torch.rand(config.dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    start = start.expand(len(settings), -1)
    duration = torch.where(eta > 0, math.log(1 / config.shrink) / (2 * eta), config.time).clamp_max(config.time)
    end = flow.advance(_flow(config, alpha, eta), start, duration, tol=1e-8)
    on, off = end[:, : config.kept] ** 2, end[:, config.kept :] ** 2
    ratio = closed_forms.cosine_ratio(torch.full_like(alpha, config.sigma2), alpha)
    norm = start.square().sum(1) * torch.exp(-2 * eta * duration)
    pairs = {
        "w^2 outside S over that on S": (off.mean(1) / on.mean(1), ratio),
        "least over largest w on S": ((on.amin(1) / on.amax(1)).sqrt(), torch.ones_like(eta)),
        "norm of W squared": (end.square().sum(1), norm),
    }
    speeds = flow.speed(_flow(config, alpha, 0 * eta), end) * end.norm(dim=1)
    notes = (
        "No weight decay removes the noise, and none removes the signal: the threshold belongs to the squared loss.",
        "Derived here with norms replaced by their means.",
        *unrest(settings, speeds.tolist(), MOVING, SHAPE),
    )
    return Result(tuple(rows(settings, pairs)), (_figure(config, start[:1], float(ratio[0])),), notes)


def _flow(config: Config, alpha: Tensor, eta: Tensor) -> flow.Derivative:
    lambda_s = torch.ones(len(alpha), config.dim, dtype=torch.float64)
    lambda_s[:, config.kept :] += config.sigma2
    return modes.cosine(modes.Modes(lambda_s, torch.ones_like(lambda_s), eta[:, None], lambda_s), rules.rule(alpha))


def _figure(config: Config, start: Tensor, closed: float) -> Figure:
    """The ratio over time for each η, first α."""
    alpha, times = config.alpha[0], torch.linspace(0, 10, 101, dtype=torch.float64)
    slow = [e for e in config.eta if 20 * e <= math.log(1 / config.shrink)] or [0.0]  # others are at scale 0 by then
    eta = torch.tensor(slow, dtype=torch.float64)
    derivative = _flow(config, torch.full_like(eta, alpha), eta)
    path = flow.course(derivative, start.expand(len(eta), -1), times, tol=1e-7) ** 2
    ratio = path[:, :, config.kept :].mean(2) / path[:, :, : config.kept].mean(2)
    lines = [line(f"η = {e:g}, simulated", times, ratio[:, i]) for i, e in enumerate(slow)]
    lines.append(line("closed form of the end", [0.0, 10.0], [closed, closed]))
    return Figure("Noise beside signal", "time", "w² outside S over that on S", tuple(lines), f"α = {alpha:g}.")
