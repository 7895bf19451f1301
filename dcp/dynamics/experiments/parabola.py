"""The invariant parabola of a learned linear predictor, and the basin of collapse on it.

s(t) - p(t)²/α_p = e^(-2ηt)(s(0) - p(0)²/α_p), whatever the target; on the parabola s = p²/α_p the fixed points are 0,
p₋ (unstable) and p₊ = (τ + √(τ² - 4η(1+σ²)))/(2(1+σ²)) (Tian, Chen, Ganguli 2021, arXiv:2102.06810, section 3). Their
text prints the constant with the other sign; the equations fix it as here. DirectSet(1/2) with α_p = 1 moves on it.
"""

import math
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from dcp.catalogue import VariantConfig
from dcp.dynamics import closed_forms, flow, matrices, modes
from dcp.dynamics.experiments.base import Positive, rows, two_lines
from dcp.dynamics.gaussian import gaussian
from dcp.dynamics.result import Figure, Line, Result, Row, Setting

FINE = 1000  # points of the integral for τ


class Config(VariantConfig):
    """Keys of the experiment."""

    experiment: Literal["parabola"] = "parabola"
    sigma2: float = Field(0.5, ge=0, le=100, description="σ², isotropic noise")
    eta: float = Field(0.1, ge=0.01, le=10, description="η, weight decay")
    alpha_p: float = Field(
        2.0, ge=0.01, le=20, description="α_p, learning rate of the predictor relative to the encoder's"
    )
    starts: Annotated[tuple[tuple[Positive, Positive], ...], Field(min_length=1, max_length=20)] = Field(
        ((0.3, 0.4), (0.9, 0.1), (1.5, 1.2)),
        description="where modes start: p and s, eigenvalues of W_p and F",
    )
    beta: float = Field(0.3, ge=1e-3, le=100, description="β, rate of the target's moving average, for its τ(t)")
    dim: int = Field(4, ge=1, le=16, description="D, of the run with whole random matrices")
    time: float = Field(20.0, ge=1, le=200, description="length of the plot and of the run with a moving average")


def run(config: Config, seed: int) -> Result:
    """The invariant, the fixed points, the basin, τ(t), and the same with whole matrices."""
    parameters = torch.tensor([1 + config.sigma2, 1.0, config.eta], dtype=torch.float64)
    low, high = map(float, closed_forms.roots(*parameters))
    invariants, figure = _courses(config)
    every = [*invariants, *_ends(config, high), *_basin(config, low), *_average(config), *_matrices(config, seed, high)]
    notes = ("Tian, Chen, Ganguli 2021; the sign of the invariant's constant is that of their equations.",)
    return Result(tuple(every), (figure,), notes)


def _flow(config: Config, count: int, beta: float | None = None) -> flow.Derivative:
    parameters = (config.sigma2, config.eta, config.alpha_p)
    sigma2, eta, alpha_p = (torch.full((count,), value, dtype=torch.float64) for value in parameters)
    return modes.learnt(sigma2, eta, alpha_p, None if beta is None else torch.full_like(eta, beta))


def _starts(config: Config) -> Tensor:
    return torch.tensor([(p, s, 1.0) for p, s in config.starts], dtype=torch.float64)


def _courses(config: Config) -> tuple[list[Row], Figure]:
    """The way of s - p²/α_p over time, from each start."""
    starts, times = _starts(config), torch.linspace(0, config.time, 101, dtype=torch.float64)
    path = flow.course(_flow(config, len(starts)), starts, times)
    off = path[:, :, 1] - path[:, :, 0] ** 2 / config.alpha_p
    eta, alpha_p = torch.tensor([config.eta, config.alpha_p], dtype=torch.float64)
    closed = closed_forms.invariant(times[:, None], starts[:, 0], starts[:, 1], eta, alpha_p)
    settings: list[Setting] = [{"p": p, "s": s, "time": float(times[50])} for p, s in config.starts]
    lines: list[Line] = []
    for i, (p, s) in enumerate(config.starts):
        lines += two_lines(f"p = {p:g}, s = {s:g}", times, off[:, i], closed[:, i])
    figure = Figure("The way to the parabola", "time", "s less p² over α_p", tuple(lines))
    return rows(settings, {"s - p^2/alpha_p": (off[50], closed[50])}), figure


def _ends(config: Config, high: float) -> list[Row]:
    """Where modes end: on p₊, or at 0."""
    starts = _starts(config)
    p, s, _ = flow.advance(_flow(config, len(starts)), starts, 5000.0, rest=1e-8).T
    kept = torch.where(p > 0.1 * high, high, torch.zeros_like(p))  # which basin, the simulation says; no p is above NaN
    settings: list[Setting] = [{"p": p, "s": s} for p, s in config.starts]
    return rows(settings, {"p at the end": (p, kept), "s at the end": (s, kept**2 / config.alpha_p)})


def _basin(config: Config, low: float) -> list[Row]:
    """The smallest p on the parabola that does not collapse."""
    if math.isnan(low):
        return []
    derivative = _flow(config, 1)

    def collapses(p: Tensor) -> Tensor:
        start = torch.stack([p, p**2 / config.alpha_p, torch.ones_like(p)], 1)

        def decided(state: Tensor) -> Tensor:  # on the parabola a mode never turns
            return (state[:, 0] < 0.1 * p) | (state[:, 0] > 1.01 * p)

        return flow.advance(derivative, start, 100 / config.eta, rest=1e-9, decided=decided)[:, 0] < 0.1 * p

    zero = torch.zeros(1, dtype=torch.float64)
    smallest = flow.boundary(collapses, zero, zero + 1, halvings=20)
    return [Row({}, "smallest p that survives", float(smallest), low)]


def _average(config: Config) -> list[Row]:
    """τ(t) of a moving average that starts at τ = 0, and the integral for it."""
    start = torch.tensor([[1.0, 1.0 / config.alpha_p, 0.0]], dtype=torch.float64)
    times = torch.linspace(0, config.time, FINE + 1, dtype=torch.float64)
    path = flow.course(_flow(config, 1, config.beta), start, times)[:, 0]
    closed = closed_forms.ema_ratio(times, path[:, 0], config.beta)
    at = [FINE // 20, FINE // 4, FINE]
    return rows([{"time": time} for time in times[at].tolist()], {"tau of the EMA": (path[at, 2], closed[at])})


def _matrices(config: Config, seed: int, high: float) -> list[Row]:
    """Random W and W_p: eigenvalues at the end, and |WWᵀ - W_pᵀW_p/α_p| on the way."""
    data = gaussian(config.dim, 0, config.sigma2)
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(1, 2, config.dim, config.dim, generator=generator, dtype=torch.float64)
    derivative = matrices.learnt(data, config.eta, config.alpha_p)
    early, late = (flow.advance(derivative, start, t, rest=1e-8)[0] for t in (5.0, 3000.0))
    at_start, then = (
        float(torch.linalg.matrix_norm(W @ W.T - W_p.T @ W_p / config.alpha_p)) for W, W_p in (start[0], early)
    )
    balance = Row({"time": 5.0}, "norm of W W^T - W_p^T W_p/alpha_p", then, at_start * math.exp(-10 * config.eta))
    W, W_p = late
    F, p = torch.linalg.eigvalsh(W @ W.T), torch.linalg.eigvals(W_p).real
    eigenvalues = []
    for name, values, closed in (("W_p", p, high), ("W W^T", F, high**2 / config.alpha_p)):
        kept = values[values > 0.1 * closed]
        if len(kept):
            setting = {"modes": float(len(kept))}
            eigenvalues.append(Row(setting, f"eigenvalues of {name}", float(kept.mean()), closed))
    return [balance, *eigenvalues]
