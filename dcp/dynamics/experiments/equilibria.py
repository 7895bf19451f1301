"""Where the stop-gradient and the moving average come to rest: on varieties of equilibria, which are stable.

With views that scramble alike in all directions and α_p = 1, W_p = (WWᵀ)^½ at every equilibrium, with eigenvalues 0, p₋
or p₊. Where r of D are p₊ and the others 0, W = p₊ U Vᵀ with any r orthonormal columns in U and V: a variety of
r(r-1)/2 + 2r(D-r) dimensions. Along it nothing moves, towards it everything falls; where one is p₋, something grows.
Without a stop-gradient the same system collapses (`no_stop_gradient`).

The statements are those of Ponce, Terver, Hebert, Arbel 2025 (arXiv:2507.01028), of which only abstracts could be read;
equilibria and rates are derived here, for this case alone.
"""

from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from dcp.catalogue import VariantConfig
from dcp.dynamics import closed_forms, flow, matrices
from dcp.dynamics.experiments.base import line, rows
from dcp.dynamics.gaussian import gaussian
from dcp.dynamics.result import Figure, Line, Result, Row, Setting, unrest

REST = 1e-7  # speed at which a flow counts as being at an equilibrium
SMALL = 1e-4  # a rate of 0, as the Jacobian of a state nearly at rest has it


class Config(VariantConfig):
    """Keys of the experiment."""

    experiment: Literal["equilibria"] = "equilibria"
    sigma2: float = Field(0.5, ge=0, le=10, description="σ², variance of the noise in every direction")
    eta: float = Field(0.1, ge=1e-3, le=10, description="η, weight decay, below 1/(4(1 + σ²))")
    beta: float = Field(0.5, ge=0.01, le=100, description="β, rate of the moving average")
    dim: int = Field(4, ge=2, le=8, description="D")
    noise: float = Field(0.3, ge=0, le=2, description="deviation of the entries of W and W_p from I at the start")
    time: float = Field(600.0, ge=1, le=5000, description="length of a simulation at most")

    @model_validator(mode="after")
    def _has_equilibria(self) -> "Config":
        most = 1 / (4 * (1 + self.sigma2))
        if self.eta >= most:
            raise ValueError(f"eta = {self.eta} must be less than 1/(4(1 + sigma2)) = {most:g}: else all collapses")
        return self


def run(config: Config, seed: int) -> Result:
    """Both procedures from a random start: where they end, and the rates of the flow there and at p₋."""
    generator = torch.Generator().manual_seed(seed)
    data, dim = gaussian(config.dim, 0, config.sigma2), config.dim
    low, high = closed_forms.roots(
        *(torch.tensor(v, dtype=torch.float64) for v in (1 + config.sigma2, 1.0, config.eta))
    )
    noise = torch.randn(2, dim, dim, generator=generator, dtype=torch.float64)
    W, W_p = torch.eye(dim, dtype=torch.float64) + config.noise * noise
    times = torch.linspace(0, config.time, 201, dtype=torch.float64)
    table, lines, speeds, settings = list[Row](), list[Line](), list[float](), list[Setting]()
    for procedure, beta in (("stop-gradient", None), ("moving average", config.beta)):
        derivative = matrices.learnt(data, config.eta, 1.0, beta)
        start = torch.stack([W, W_p] if beta is None else [W, W_p, W])[None]
        path = flow.course(derivative, start, times, tol=1e-11)[:, 0]
        end, values = path[-1], torch.linalg.svdvals(path[:, 0])
        r = int((values[-1] > high / 2).sum())
        settings.append({"procedure": procedure, "kept": r})
        speeds.append(float(flow.speed(derivative, end[None])[0]))
        s, U = torch.linalg.eigh(end[0] @ end[0].T)
        root = (U * s.clamp_min(0).sqrt()) @ U.T
        saddle = torch.stack([low * torch.eye(dim, dtype=torch.float64)] * len(end))
        measured, at_saddle = rates(derivative, end), rates(derivative, saddle)
        closed, closed_at_saddle = (
            closed_forms.equilibrium_rates(p, 1 + config.sigma2, config.eta, beta, kept=kept, dim=dim)
            for p, kept in ((high, r), (low, dim))
        )
        flat = measured.abs() < SMALL
        pairs = {
            "norm of W": (end[0].norm(), high * r**0.5),
            "distance of W_p from (WWᵀ)^½": ((end[1] - root).norm(), torch.zeros(())),
            "dimensions in which nothing moves": (flat.sum(), torch.tensor(r * (r - 1) / 2 + 2 * r * (dim - r))),
            "largest rate in the others": (measured[~flat].max(), closed[closed.abs() >= SMALL].max()),
            "largest rate where all are p₋": (at_saddle.max(), closed_at_saddle.max()),
        }
        table += rows(settings[-1:], {name: (a[None], b[None]) for name, (a, b) in pairs.items()})
        lines += [line(f"{procedure}, σ{k + 1} of W", times, values[:, k]) for k in (0, dim - 1)]
    lines.append(line("p₊, closed form", times[[0, -1]], [float(high)] * 2))
    figure = Figure("Onto the variety of equilibria", "time", "largest and least singular value of W", tuple(lines))
    notes = (
        "Equilibria and rates are derived here for views that scramble alike in all directions; the paper's general "
        "case could not be read.",
        "Directions that start too weak are lost, as with every predictor under weight decay (theory/basin).",
    )
    return Result(tuple(table), (figure,), (*notes, *unrest(settings, speeds, REST)))


def rates(derivative: flow.Derivative, state: Tensor) -> Tensor:
    """Real parts of the eigenvalues of the flow's Jacobian at a state [k, D, D], rising."""
    jacobian = torch.func.jacrev(lambda x: derivative(x[None])[0])(state)
    real: Tensor = torch.linalg.eigvals(jacobian.reshape(state.numel(), -1)).real
    return real.sort().values
