"""Where PEIRA comes to rest with a linear encoder: on the canonical directions that its λ keeps.

With canonical correlations ρ between the views, the flow of its energy ends with N's eigenvalues at √ρ - λ; directions
with ρ <= λ² vanish, so λ chooses how many are learnt. Collapse is no trap: W = 0 grows at the rate 2(ρ/λ - λ).

PEIRA: Arbel, Terver, Ponce 2026 (arXiv:2605.17671), of which the abstract could be read: stable equilibria take the
leading canonical directions, and λ chooses the dimension. The numbers are derived here.
"""

from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator

from dcp.catalogue import VariantConfig
from dcp.dynamics import closed_forms, flow, matrices
from dcp.dynamics.experiments.base import line, rows
from dcp.dynamics.result import Figure, Line, Result, Setting, unrest

REST = 1e-6
Correlations = Annotated[tuple[Annotated[float, Field(ge=0, le=1)], ...], Field(min_length=1, max_length=8)]


class Config(VariantConfig):
    """Keys of the experiment."""

    experiment: Literal["peira"] = "peira"
    rho: Correlations = Field((0.95, 0.8, 0.6, 0.4, 0.2), description="ρ, canonical correlations of the two views")
    lam: float = Field(0.7, ge=0.05, le=2, description="λ, which keeps directions with ρ above λ²")
    dim: int = Field(6, ge=1, le=16, description="D, dimensions of the projections")
    time: float = Field(200.0, ge=1, le=2000, description="length of the simulation")

    @model_validator(mode="after")
    def _has_a_choice(self) -> "Config":
        rho = sorted(self.rho, reverse=True)
        if len(rho) > self.dim and rho[self.dim - 1] == rho[self.dim] > self.lam**2:
            raise ValueError(
                f"rho = {rho[self.dim]:g} is there more often than dim = {self.dim} has room: which is kept is chance"
            )
        return self


def run(config: Config, seed: int) -> Result:
    """N's eigenvalues from a small random W on, in canonical directions that are random."""
    generator = torch.Generator().manual_seed(seed)
    rho = torch.tensor(sorted(config.rho, reverse=True), dtype=torch.float64)
    count, lam = len(rho), config.lam
    V = torch.linalg.qr(torch.randn(count, count, generator=generator, dtype=torch.float64))[0]
    K = (V * rho) @ V.T
    derivative = matrices.peira(K, lam)
    start = 0.1 * torch.randn(1, config.dim, count, generator=generator, dtype=torch.float64)
    times = torch.linspace(0, config.time, 201, dtype=torch.float64)
    path = flow.course(derivative, start, times, tol=1e-10)[:, 0]
    in_canonical = 2 * V.T @ path.mT @ path @ V  # 2 WᵀW has N's eigenvalues
    simulated = in_canonical.diagonal(dim1=1, dim2=2)
    end, kept = in_canonical[-1], torch.arange(count) < config.dim
    closed = torch.where(kept, closed_forms.peira_eigenvalues(rho, lam), 0.0)
    settings: list[Setting] = [{"rho": value} for value in rho.tolist()]
    table = rows(settings, {"eigenvalue of N": (simulated[-1], closed)})
    P = (rho * closed / (closed + lam)).sum()
    origin = torch.func.jacrev(lambda W: derivative(W[None])[0])(torch.zeros_like(path[-1]))
    growth = torch.linalg.eigvals(origin.reshape(path[-1].numel(), -1)).real.max()
    pairs = {
        "trace of P": (torch.linalg.solve(end + lam * torch.eye(count, dtype=rho.dtype), end).diagonal() @ rho, P),
        "energy": (matrices.peira_energy(path[-1:], K, lam)[0], -P / 2 + lam / 2 * closed.sum()),
        "N outside of the canonical directions": ((end - end.diag().diag()).norm(), torch.zeros(())),
        "growth at collapse": (growth, 2 * (rho[0] / lam - lam)),
    }
    table += rows([{"lam": lam}], {name: (a[None], b[None]) for name, (a, b) in pairs.items()})
    lines = list[Line]()
    for k, value in enumerate(rho.tolist()):
        lines.append(line(f"ρ = {value:g}, simulated", times, simulated[:, k]))
        lines.append(line(f"ρ = {value:g}, closed form", times[[0, -1]], [float(closed[k])] * 2))
    figure = Figure("PEIRA's directions", "time", "eigenvalue of N", tuple(lines))
    notes = (
        f"λ = {lam:g} keeps {int((closed > 0).sum())} of {count} directions: those with ρ > λ² = {lam**2:.4g}, "
        f"{config.dim} at most.",
        "Near ρ = λ² a direction takes long to settle.",
    )
    speeds = flow.speed(derivative, path[-1:]).tolist()
    return Result(tuple(table), (figure,), (*notes, *unrest([{"lam": lam}], speeds, REST)))
