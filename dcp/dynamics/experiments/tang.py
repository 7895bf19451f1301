"""Self-prediction with the optimal predictor at every instant: features stay apart and find the top eigenspace.

dΦ/dt = -(ΦP - TΦ)Pᵀ, P = (ΦᵀΦ)⁻¹ΦᵀTΦ: ΦᵀΦ stays what it was, so nothing collapses, and the span of Φ goes to the top k
eigenvectors of T, which is symmetric and positive here. With eigenvalues of both signs the flow can stay on a smaller
one: a direction λ grows beside μ only where λμ > μ² (seen in a test). After Tang et al. 2022 (self-predictive
learning); derived here from notes on the paper, whose own equations are unverified.
"""

from typing import Literal

import torch
from pydantic import Field, model_validator

from dcp.catalogue import VariantConfig
from dcp.dynamics import flow, matrices
from dcp.dynamics.experiments.base import line, require_below
from dcp.dynamics.result import Figure, Result, Row


class Config(VariantConfig):
    """Keys of the experiment."""

    experiment: Literal["tang"] = "tang"
    states: int = Field(12, ge=3, le=32, description="n, size of the symmetric transition matrix T")
    features: int = Field(3, ge=1, le=31, description="k, columns of Φ; less than states")
    time: float = Field(200.0, ge=1, le=500, description="length of the simulation")

    @model_validator(mode="after")
    def _fits(self) -> "Config":
        require_below("features", self.features, "states", self.states)
        return self


def run(config: Config, seed: int) -> Result:
    """How far ΦᵀΦ has moved, and the overlap of its span with the top space."""
    n, k = config.states, config.features
    generator = torch.Generator().manual_seed(seed)
    U = torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64))[0]
    T, top = (U * torch.linspace(1, 1 / n, n, dtype=torch.float64)) @ U.T, U[:, :k]
    start = torch.randn(1, n, k, generator=generator, dtype=torch.float64) / n**0.5
    times = torch.linspace(0, config.time, 101, dtype=torch.float64)
    path = flow.course(matrices.self_predictive(T), start, times, tol=1e-11)[:, 0]
    moved = torch.linalg.matrix_norm(path.mT @ path - path[0].T @ path[0])
    # the mean squared cosine of the angles between two spaces, in [0, 1]
    overlap = [float((torch.linalg.qr(phi)[0].T @ top).square().sum() / k) for phi in path]
    setting = {"states": n, "features": k, "time": config.time}
    rows = (
        Row(setting, "change of Phi^T Phi", float(moved[-1]), 0.0),
        Row(setting, "overlap with the top space", overlap[-1], 1.0),
    )
    lines = (line("simulated", times, overlap), line("closed form of the end", [0.0, config.time], [1.0, 1.0]))
    figure = Figure("The span of the features finds the top space", "time", "overlap, from 0 to 1", lines)
    return Result(rows, (figure,), ("The equations are derived here from notes on the paper.",))
