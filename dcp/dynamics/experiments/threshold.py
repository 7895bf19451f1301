"""The weight-decay threshold: a direction survives iff η < λ_d²/(4λ_s), whatever α; whole matrices, squared loss.

W(0) = δI, W_p = F^α set from F at every instant, W_a = W. Then W → ((1 + √(1-4η))/2)^(1/(2α)) P_S between the two
thresholds, 1/(4(1+σ²)) of the scrambled directions and 1/4 of the kept ones. The closed form is derived here; Wang,
Chen, Du, Tian 2021 have such a theorem, whose wording is unverified.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from dcp.dynamics import closed_forms, flow, matrices, rules
from dcp.dynamics.experiments.base import Exponents, Rates, Subspace, grid, line, rows
from dcp.dynamics.gaussian import gaussian
from dcp.dynamics.result import Figure, Line, Result, unrest

MOVING = 1e-6  # |dW/dt| above which W is not at rest


class Config(Subspace):
    """Keys of the experiment."""

    experiment: Literal["threshold"] = "threshold"
    sigma2: float = Field(1.0, ge=0, le=100, description="σ², variance of the noise outside S")
    eta: Rates = Field((0.05, 0.1, 0.15, 0.2, 0.24, 0.26), description="η, weight decays")
    alpha: Exponents = Field((1.0, 0.5, 2.0), description="α, exponents of F; 1 is DirectCopy, 0.5 DirectPred")
    delta: float = Field(1.0, ge=1e-3, le=10, description="δ, W starts as δI")
    dim: int = Field(6, ge=2, le=16, description="D, dimensions of the data")
    kept: int = Field(2, ge=1, le=15, description="r, dimensions of S, less than dim, whose direction is random")
    clean: bool = Field(False, description="F of clean images instead of views")
    time: float = Field(2000.0, ge=1, le=10_000, description="length of the simulation; it ends early at rest")


def run(config: Config, seed: int) -> Result:
    """Both sizes of W, on S and outside, for every η and α."""
    data = gaussian(config.dim, config.kept, config.sigma2, torch.Generator().manual_seed(seed))
    settings, (alpha, eta) = grid(alpha=config.alpha, eta=config.eta)
    start = config.delta * torch.eye(config.dim, dtype=torch.float64).expand(len(eta), -1, -1)
    derivative = matrices.set_by(data, rules.rule(alpha), eta, clean=config.clean)
    W = flow.advance(derivative, start, config.time, rest=1e-8)
    on, off = ((W * P).sum((1, 2)) / P.trace() for P in (data.P, data.rest))  # the c [N] of the best c P
    stray = (W - on[:, None, None] * data.P - off[:, None, None] * data.rest).abs().amax((1, 2))
    pairs = {
        "W on S": (on, _closed(config, alpha, eta, scrambled=False)),
        "W outside S": (off, _closed(config, alpha, eta, scrambled=True)),
        "W beside both": (stray, torch.zeros_like(stray)),
    }
    notes = (
        f"Thresholds: 0.25 on S, {1 / (4 * (1 + config.sigma2)):.6g} outside. Between them W is a projector on S.",
        "The closed form is derived here; the paper's own wording of the theorem is unverified.",
        *unrest(settings, flow.speed(derivative, W).tolist(), MOVING),
    )
    return Result(tuple(rows(settings, pairs)), (_figure(config, on, off),), notes)


def _closed(config: Config, alpha: Tensor, eta: Tensor, *, scrambled: bool) -> Tensor:
    """The size [N] of W at the end, on S or of what the views scramble."""
    one = torch.ones_like(eta)
    lambda_s = one + config.sigma2 if scrambled else one
    phi = one if config.clean else lambda_s
    return closed_forms.limit(config.delta * one, lambda_s, one, eta, alpha=alpha, phi=phi).sqrt()


def _figure(config: Config, on: Tensor, off: Tensor) -> Figure:
    """Of the first α: the simulated sizes over η, and the closed form finely."""
    alpha, eta = config.alpha[0], torch.tensor(config.eta, dtype=torch.float64)
    at = eta.argsort(stable=True)
    fine = torch.linspace(0, 1.2 * max(config.eta), 200, dtype=torch.float64)
    lines: list[Line] = []
    for name, sizes, scrambled in (("on S", on, False), ("outside S", off, True)):
        closed = _closed(config, torch.full_like(fine, alpha), fine, scrambled=scrambled)
        lines += [line(f"{name}, simulated", eta[at], sizes[at]), line(f"{name}, closed form", fine, closed)]
    note = f"α = {alpha:g}, σ² = {config.sigma2:g}; simulated points are joined by lines."
    return Figure("What is left of W", "weight decay η", "W at the end", tuple(lines), note)
