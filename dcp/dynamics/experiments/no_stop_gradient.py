"""Without the stop-gradient everything collapses, even with a predictor.

d vec(W)/dt = -H vec(W), H = X' ⊗ (W_pᵀW_p + I) + X_d ⊗ (W_p - I)ᵀ(W_p - I) + ηI, which is positive: with W_p held fixed
W(t) = exp(-Ht) W(0) exactly, and with any W_p ‖W‖ falls at least like e^(-ηt) (Tian, Chen, Ganguli 2021,
arXiv:2102.06810, section 3).
"""

from typing import Literal

import torch
from pydantic import Field

from dcp.dynamics import closed_forms, flow, matrices
from dcp.dynamics.experiments.base import Subspace, line, rows_over_time, two_lines
from dcp.dynamics.gaussian import gaussian
from dcp.dynamics.result import Figure, Result


class Config(Subspace):
    """Keys of the experiment."""

    experiment: Literal["no_stop_gradient"] = "no_stop_gradient"
    sigma2: float = Field(0.5, ge=0, le=10, description="σ², variance of the noise outside S")
    eta: float = Field(0.1, ge=0, le=10, description="η, weight decay")
    alpha_p: float = Field(2.0, ge=0.01, le=20, description="α_p, of the run in which W_p learns")
    dim: int = Field(4, ge=2, le=8, description="D")
    kept: int = Field(2, ge=0, le=7, description="r, dimensions of S, less than dim, whose direction is random")
    time: float = Field(40.0, ge=0.1, le=200, description="length of the simulation")


def run(config: Config, seed: int) -> Result:
    """‖W‖ over time with W_p fixed, beside the exact solution, and with W_p learnt, beside the bound."""
    generator = torch.Generator().manual_seed(seed)
    data = gaussian(config.dim, config.kept, config.sigma2, generator)
    start = torch.randn(1, 2, config.dim, config.dim, generator=generator, dtype=torch.float64) / config.dim**0.5
    times = torch.linspace(0, config.time, 101, dtype=torch.float64)
    fixed, learnt = (
        flow.course(matrices.no_stop_gradient(data, config.eta, alpha_p), start, times, tol=1e-11)[:, 0, 0]
        for alpha_p in (0.0, config.alpha_p)
    )
    W, W_p = start[0]
    H = closed_forms.hessian(W_p, data.X_s, data.X_d, config.eta)
    exact = torch.stack([closed_forms.without_stop_gradient(W, H, t) for t in times.tolist()])
    of_fixed, of_exact, of_learnt = (torch.linalg.matrix_norm(each) for each in (fixed, exact, learnt))
    bound = of_learnt[0] * torch.exp(-config.eta * times)
    pairs = {"norm of W, W_p fixed": (of_fixed, of_exact), "norm of W, W_p learnt": (of_learnt, bound)}
    lines = (
        *two_lines("W_p fixed", times, of_fixed, of_exact),
        line("W_p learnt, simulated", times, of_learnt),
        line("W_p learnt, bound", times, bound),
    )
    figure = Figure("Collapse without stop-gradient", "time", "norm of W", lines, log=True)
    note = f"The least eigenvalue of H with this W_p is {float(torch.linalg.eigvalsh(H)[0]):.4g}."
    return Result(tuple(rows_over_time(times, pairs, bound="norm of W, W_p learnt")), (figure,), (note,))
