"""The invariant parabola of a learnt linear predictor, and the basin of collapse on it.

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
from dcp.dynamics.experiments.base import Positive
from dcp.dynamics.gaussian import gaussian
from dcp.dynamics.result import Figure, Line, Result, Row, line

FINE = 1000  # points of the integral for τ


class Config(VariantConfig):
    """Keys of the experiment."""

    experiment: Literal["parabola"] = "parabola"
    sigma2: float = Field(0.5, ge=0, le=100, description="σ², isotropic noise")
    eta: float = Field(0.1, ge=0.01, le=10, description="η, weight decay")
    alpha_p: float = Field(2.0, ge=0.01, le=20, description="α_p, learning rate of the predictor over the encoder's")
    starts: Annotated[tuple[tuple[Positive, Positive], ...], Field(min_length=1, max_length=20)] = Field(
        ((0.3, 0.4), (0.9, 0.1), (1.5, 1.2)),
        description="where modes start: p and s, eigenvalues of W_p and F",
    )
    beta: float = Field(0.3, ge=1e-3, le=100, description="β, rate of the target's moving average, for its τ(t)")
    dim: int = Field(4, ge=1, le=16, description="D, of the run with whole random matrices")
    time: float = Field(20.0, ge=1, le=200, description="length of the figure and of the run with a moving average")


def run(config: Config, seed: int) -> Result:
    """The invariant, the fixed points, the basin, τ(t), and the same with whole matrices."""
    low, high = _roots(config)
    rows, figure = _courses(config)
    rows += [*_ends(config, high), *_basin(config, low), *_average(config), *_matrices(config, seed, high)]
    notes = ("Tian, Chen, Ganguli 2021; the sign of the invariant's constant is that of their equations.",)
    return Result(tuple(rows), (figure,), notes)


def _roots(config: Config) -> tuple[float, float]:
    of = torch.tensor([1 + config.sigma2, 1.0, config.eta], dtype=torch.float64)
    low, high = closed_forms.roots(*of)
    return float(low), float(high)


def _flow(config: Config, count: int, beta: float | None = None) -> flow.Derivative:
    sigma2, eta, alpha_p = (torch.full((count,), v, dtype=torch.float64) for v in _parameters(config))
    return modes.learnt(sigma2, eta, alpha_p, None if beta is None else torch.full_like(eta, beta))


def _parameters(config: Config) -> tuple[float, float, float]:
    return config.sigma2, config.eta, config.alpha_p


def _starts(config: Config) -> Tensor:
    return torch.tensor([(p, s, 1.0) for p, s in config.starts], dtype=torch.float64)


def _courses(config: Config) -> tuple[list[Row], Figure]:
    """The way of s - p²/α_p over time, from each start."""
    starts, times = _starts(config), torch.linspace(0, config.time, 101, dtype=torch.float64)
    path = flow.course(_flow(config, len(starts)), starts, times)
    rows: list[Row] = []
    lines: list[Line] = []
    for i, (p, s, _) in enumerate(starts):
        off = path[:, i, 1] - path[:, i, 0] ** 2 / config.alpha_p
        known = closed_forms.invariant(times, p, s, *torch.tensor([config.eta, config.alpha_p], dtype=torch.float64))
        setting = {"p": float(p), "s": float(s), "time": float(times[50])}
        rows.append(Row(setting, "s - p^2/alpha_p", float(off[50]), float(known[50])))
        lines.append(line(f"p = {p:g}, s = {s:g}, simulated", times.tolist(), off.tolist()))
        lines.append(line(f"p = {p:g}, s = {s:g}, closed form", times.tolist(), known.tolist()))
    return rows, Figure("The way to the parabola", "time", "s less p² over α_p", tuple(lines))


def _ends(config: Config, high: float) -> list[Row]:
    starts = _starts(config)
    ends = flow.advance(_flow(config, len(starts)), starts, 5000.0, rest=1e-8)
    rows: list[Row] = []
    for (p, s, _), end in zip(starts.tolist(), ends.tolist(), strict=True):
        kept = high if high == high and end[0] > 0.1 * high else 0.0  # which basin, the simulation says
        setting = {"p": p, "s": s}
        rows.append(Row(setting, "p at the end", end[0], kept))
        rows.append(Row(setting, "s at the end", end[1], kept**2 / config.alpha_p))
    return rows


def _basin(config: Config, low: float) -> list[Row]:
    """The smallest p on the parabola that does not collapse."""
    if low != low:
        return []
    derivative = _flow(config, 1)

    def collapses(p: Tensor) -> Tensor:
        start = torch.stack([p, p**2 / config.alpha_p, torch.ones_like(p)], 1)

        def decided(state: Tensor) -> Tensor:  # on the parabola a mode never turns
            return (state[:, 0] < 0.1 * p) | (state[:, 0] > 1.01 * p)

        return flow.advance(derivative, start, 100 / config.eta, rest=1e-9, decided=decided)[:, 0] < 0.1 * p

    zero = torch.zeros(1, dtype=torch.float64)
    found = flow.boundary(collapses, zero, zero + 1, halvings=20)
    return [Row({}, "smallest p that survives", float(found), low)]


def _average(config: Config) -> list[Row]:
    """τ(t) of a moving average that starts at τ = 0, and the integral for it."""
    p = 1.0
    start = torch.tensor([[p, p**2 / config.alpha_p, 0.0]], dtype=torch.float64)
    times = torch.linspace(0, config.time, FINE + 1, dtype=torch.float64)
    path = flow.course(_flow(config, 1, config.beta), start, times)[:, 0]
    known = closed_forms.ema_ratio(times, path[:, 0], config.beta)
    places = (FINE // 20, FINE // 4, FINE)
    return [Row({"time": float(times[i])}, "tau of the EMA", float(path[i, 2]), float(known[i])) for i in places]


def _matrices(config: Config, seed: int, high: float) -> list[Row]:
    """Random W and W_p: eigenvalues at the end, and |WWᵀ - W_pᵀW_p/α_p| on the way."""
    data = gaussian(config.dim, 0, config.sigma2)
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(1, 2, config.dim, config.dim, generator=generator, dtype=torch.float64)
    derivative = matrices.learnt(data, config.eta, config.alpha_p)
    soon, late = (flow.advance(derivative, start, t, rest=1e-8) for t in (5.0, 3000.0))
    first, after = (torch.linalg.matrix_norm(_balance(each, config.alpha_p)) for each in (start, soon))
    rows = [
        Row({"time": 5.0}, "norm of W W^T - W_p^T W_p/alpha_p", float(after), float(first) * math.exp(-10 * config.eta))
    ]
    W, W_p = late[0]
    F, p = torch.linalg.eigvalsh(W @ W.T), torch.linalg.eigvals(W_p).real
    for name, found, known in (("W_p", p, high), ("W W^T", F, high**2 / config.alpha_p)):
        survivors = found[found > 0.1 * known]
        if len(survivors):
            rows.append(Row({"modes": float(len(survivors))}, f"eigenvalues of {name}", float(survivors.mean()), known))
    return rows


def _balance(state: Tensor, alpha_p: float) -> Tensor:
    W, W_p = state[0]
    balance: Tensor = W @ W.T - W_p.T @ W_p / alpha_p
    return balance
