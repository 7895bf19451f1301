"""Eigenspace alignment: W_p and F come to share eigenvectors, because their commutator L = [F, W_p] shrinks.

dL/dt = -LK - KL with K = (1+σ²)(α_p F/2 + W_p²) - τW_p + 3η/2 I; if λ_min(K) ≥ λ₀ > 0 all the way, |L| falls at least
like e^(-2λ₀t) (Tian, Chen, Ganguli 2021, arXiv:2102.06810, Theorem 3; the symmetrised flow, isotropic data).
"""

from typing import Literal

import torch
from pydantic import Field

from dcp.catalogue import VariantConfig
from dcp.dynamics import flow, matrices
from dcp.dynamics.experiments.base import line, rows_over_time
from dcp.dynamics.result import Figure, Result


class Config(VariantConfig):
    """Keys of the experiment."""

    experiment: Literal["alignment"] = "alignment"
    sigma2: float = Field(0.5, ge=0, le=100, description="σ², isotropic noise")
    eta: float = Field(0.3, ge=0, le=10, description="η, weight decay")
    alpha_p: float = Field(
        2.0, ge=0.01, le=20, description="α_p, learning rate of the predictor relative to the encoder's"
    )
    tau: float = Field(1.0, ge=0, le=1, description="τ: the target is W_a = τW")
    dim: int = Field(4, ge=2, le=32, description="D")
    time: float = Field(10.0, ge=0.1, le=100, description="length of the simulation")


def run(config: Config, seed: int) -> Result:
    """‖L‖ from F and W_p, from L's own equation, and the bound; from random positive F and W_p."""
    generator, times = torch.Generator().manual_seed(seed), torch.linspace(0, config.time, 101, dtype=torch.float64)
    draw = torch.randn(2, config.dim, config.dim, generator=generator, dtype=torch.float64)
    F, W_p = draw @ draw.mT / config.dim
    start = torch.stack([F, W_p, F @ W_p - W_p @ F])[None]
    derivative = matrices.symmetrised(config.sigma2, config.eta, config.alpha_p, config.tau)
    F, W_p, L = flow.course(derivative, start, times, tol=1e-11)[:, 0].unbind(1)
    norm, by_own_equation = (torch.linalg.matrix_norm(each) for each in (F @ W_p - W_p @ F, L))
    K = matrices.alignment_rate(F, W_p, config.sigma2, config.eta, config.alpha_p, config.tau)
    least = torch.linalg.eigvalsh(K)[:, 0]
    # ‖L(0)‖ e^(-2∫λ_min(K)): Theorem 3 stretch by stretch, with the least λ_min of each stretch's ends
    integral = (2 * torch.minimum(least[:-1], least[1:]) * times.diff()).cumsum(0)
    bounds = by_own_equation[0] * torch.cat([torch.ones(1).double(), torch.exp(-integral)])
    pairs = {
        "norm of [F, W_p]": (norm, by_own_equation),
        "norm of [F, W_p], bound": (norm, bounds),
    }
    lines = (
        line("simulated", times, norm),
        line("by dL/dt = -LK - KL", times, by_own_equation),
        line("bound", times, bounds),
    )
    figure = Figure("F and W_p align", "time", "norm of FW - WF", lines, log=True)
    promise = "so the theorem promises " + ("alignment" if least.min() > 0 else "nothing here")
    note = f"The least eigenvalue of K on the way is {float(least.min()):.4g}, {promise}."
    return Result(tuple(rows_over_time(times, pairs, bound="norm of [F, W_p], bound")), (figure,), (note,))
