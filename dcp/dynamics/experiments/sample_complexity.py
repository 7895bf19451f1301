"""Downstream sample complexity: learned features need fewer labels, because the noise directions are gone.

Labels y = ⟨β, x⟩ + noise of variance v with β in S; the minimum-norm least squares on W x, W the end of DirectCopy's
flow, has excess risk v r/(n - r - 1) with n labels; on the raw x it is v D/(n - D - 1), the textbook identity. Wang,
Chen, Du, Tian 2021 claim lower downstream complexity; their bound is unverified.
"""

from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from dcp.dynamics import closed_forms, flow, matrices, rules
from dcp.dynamics.experiments.base import Subspace, two_lines
from dcp.dynamics.gaussian import gaussian
from dcp.dynamics.result import Figure, Line, Result, Row

Counts = tuple[Annotated[int, Field(ge=1, le=1000)], ...]
RANK = 1e-10  # of eigenvalues of ZᵀZ below this share of the largest nothing is left in W


class Config(Subspace):
    """Keys of the experiment."""

    experiment: Literal["sample_complexity"] = "sample_complexity"
    dim: int = Field(100, ge=2, le=200, description="D, dimensions of x")
    kept: int = Field(5, ge=1, le=199, description="r, dimensions of S, less than dim")
    sigma2: float = Field(1.0, ge=0, le=100, description="σ², variance of the noise outside S")
    eta: float = Field(
        0.2, ge=0, le=0.24, description="η, weight decay of the pre-training; below 1/4, so that S is learned"
    )
    noise: float = Field(0.5, ge=1e-3, le=100, description="v, variance of the labels' noise")
    labels: Counts = Field(
        (10, 15, 20, 30, 60, 120, 150, 200, 400),
        description="n, numbers of labels; more than kept + 3",
        min_length=1,
        max_length=20,
    )
    trials: int = Field(100, ge=2, le=1000, description="random draws of the labels for each n")

    @model_validator(mode="after")
    def _enough(self) -> "Config":
        if min(self.labels) <= self.kept + 3:
            few, least = min(self.labels), self.kept + 4
            raise ValueError(
                f"labels = {few} are too few for kept = {self.kept}: the risk has a variance from {least} on"
            )
        return self


def run(config: Config, seed: int) -> Result:
    """Excess risk on features and on x, for each number of labels."""
    generator = torch.Generator().manual_seed(seed)
    W, P = learned(config)
    rows: list[Row] = []
    lines: list[Line] = []
    for kind, weight in (("features", W), ("raw x", torch.eye(config.dim, dtype=torch.float64))):
        width = rank(weight)
        labels = [n for n in sorted(config.labels) if n > width + 3]  # below, the risk has no variance
        risks = [excess(config, weight, P, n, generator) for n in labels]
        means = [float(each.mean()) for each in risks]
        errors = [float(each.std() / len(each) ** 0.5) for each in risks]
        closed = [closed_forms.excess_risk(config.noise, width, n) for n in labels]
        rows += [
            Row({"on": kind, "labels": n}, "excess risk", means[i], closed[i], standard_error=errors[i])
            for i, n in enumerate(labels)
        ]
        lines += two_lines(kind, labels, means, closed) if labels else []
    figure = Figure("Excess risk over labels", "labels n", "excess risk", tuple(lines), log=True)
    notes = (
        f"Fewer than w + 4 labels are left out, w the directions left: {config.dim} on raw x, {rank(W)} on features.",
        f"S has r = {config.kept} of D = {config.dim} directions; regression on what is left of W pays for no others.",
        "The simulated numbers are means over drawings, with their standard errors.",
    )
    return Result(tuple(rows), (figure,), notes)


def rank(W: Tensor) -> int:
    """How many directions are left in W."""
    return int(torch.linalg.matrix_rank(W, rtol=1e-5))


def learned(config: Config) -> tuple[Tensor, Tensor]:
    """W at the end of DirectCopy's flow from I, and P_S."""
    data = gaussian(config.dim, config.kept, config.sigma2)
    derivative = matrices.set_by(data, rules.rule(torch.ones(1).double()), torch.full((1,), config.eta).double())
    W = flow.advance(derivative, data.X_d[None], 500.0, tol=1e-8, rest=1e-7)[0]
    return W, data.P


def excess(config: Config, W: Tensor, P: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """The excess risks [trials] of minimum-norm least squares on W x with n labels."""
    risks = []
    for _ in range(config.trials):
        x = torch.randn(n, config.dim, generator=generator, dtype=torch.float64)
        beta = P @ torch.randn(config.dim, generator=generator, dtype=torch.float64)
        noise = config.noise**0.5 * torch.randn(n, generator=generator, dtype=torch.float64)
        z = x @ W.T
        theta = torch.linalg.pinv(z.T @ z, rtol=RANK, hermitian=True) @ (z.T @ (x @ beta + noise))
        risks.append((W.T @ theta - beta).square().sum())
    return torch.stack(risks)
