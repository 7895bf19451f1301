"""Eigenspace alignment: W_p and F come to share eigenvectors, because their commutator L = [F, W_p] shrinks.

dL/dt = -LK - KL with K = (1+σ²)(α_p F/2 + W_p²) - τW_p + 3η/2 I; if λ_min(K) ≥ λ₀ > 0 all the way, |L| falls at least
like e^(-2λ₀t) (Tian, Chen, Ganguli 2021, arXiv:2102.06810, Theorem 3; the symmetrised flow, isotropic data).
"""

import math
from itertools import pairwise
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from dcp.catalogue import VariantConfig
from dcp.dynamics import flow, matrices
from dcp.dynamics.result import Figure, Result, Row, line


class Config(VariantConfig):
    """Keys of the experiment."""

    experiment: Literal["alignment"] = "alignment"
    sigma2: float = Field(0.5, ge=0, le=100, description="σ², isotropic noise")
    eta: float = Field(0.3, ge=0, le=10, description="η, weight decay")
    alpha_p: float = Field(2.0, ge=0.01, le=20, description="α_p, learning rate of the predictor over the encoder's")
    tau: float = Field(1.0, ge=0, le=1, description="τ: the target is W_a = τW")
    dim: int = Field(4, ge=2, le=32, description="D")
    time: float = Field(10.0, ge=0.1, le=100, description="length of the simulation")


def run(config: Config, seed: int) -> Result:
    """‖L‖ from F and W_p, from L's own equation, and the bound."""
    times = torch.linspace(0, config.time, 101, dtype=torch.float64)
    derivative = matrices.symmetrised(config.sigma2, config.eta, config.alpha_p, config.tau)
    F, W_p, L = flow.course(derivative, _start(config, seed), times, tol=1e-11)[:, 0].unbind(1)
    found, own = (torch.linalg.matrix_norm(each) for each in (F @ W_p - W_p @ F, L))
    bounds = _bounds(config, times, F, W_p, own)
    rows: list[Row] = []
    for i in (10, 50, 100):
        setting = {"time": float(times[i])}
        rows.append(Row(setting, "norm of [F, W_p]", float(found[i]), float(own[i])))
        rows.append(Row(setting, "norm of [F, W_p], bound", float(found[i]), float(bounds[i]), bound=True))
    lines = [
        line(name, times.tolist(), values.tolist())
        for name, values in (("simulated", found), ("by dL/dt = -LK - KL", own), ("bound", bounds))
    ]
    figure = Figure("F and W_p align", "time", "norm of FW - WF", tuple(lines), log=True)
    return Result(tuple(rows), (figure,), _notes(config, F, W_p))


def _start(config: Config, seed: int) -> Tensor:
    """Random positive F and W_p, and their commutator."""
    draw = torch.randn(2, config.dim, config.dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    F, W_p = draw @ draw.mT / config.dim
    return torch.stack([F, W_p, F @ W_p - W_p @ F])[None]


def _bounds(config: Config, times: Tensor, F: Tensor, W_p: Tensor, own: Tensor) -> Tensor:
    """‖L(0)‖ e^(-2∫λ_min(K)): Theorem 3 stretch by stretch, with the least λ_min of each stretch's ends."""
    least = [float(torch.linalg.eigvalsh(each)[0]) for each in _rate(config, F, W_p)]
    widths = times.diff().tolist()
    total, found = 0.0, [1.0]
    for (a, b), width in zip(pairwise(least), widths, strict=True):
        total += 2 * min(a, b) * width
        found.append(math.exp(-total))
    return float(own[0]) * torch.tensor(found, dtype=torch.float64)


def _rate(config: Config, F: Tensor, W_p: Tensor) -> Tensor:
    return matrices.alignment_rate(F, W_p, config.sigma2, config.eta, config.alpha_p, config.tau)


def _notes(config: Config, F: Tensor, W_p: Tensor) -> tuple[str, ...]:
    least = float(torch.linalg.eigvalsh(_rate(config, F, W_p)).min())
    known = "so the theorem promises alignment" if least > 0 else "so the theorem promises nothing here"
    return (f"The least eigenvalue of K on the way is {least:.4g}, {known}.",)
