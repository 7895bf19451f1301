"""Partition: DirectPred with one matrix for each side of K hyperplanes (Tian, Chen, Ganguli 2021, arXiv:2102.06810).

    plane k = 1..K:     side_k(z) = [a_k·z ≥ mean of a_k·z over the batch],       a_k ~ N(0, I), fixed
                        F_k,side ← ρ F_k,side + (1-ρ) E[z zᵀ | side],             W_k,side = DirectPred of F_k,side
    p = (1/K) Σ_k W_k,side_k(z) z

The paper's feature-dependent variant. `rho` belongs to the cells, `moments.rho` to the F that is logged. It takes 2K
eigen-decompositions after each step, and 2K products with W per pass, of which every sample uses half.

Differs: the paper's text sums the cells' F; the official release (`predictor_reg: partition`) averages the W, and so do
we. It uses the W of the current batch; ours are one step old (`moments.timing = "immediate"` is refused). To update F
it takes the mean over each view as threshold, we the mean over both; predictions use that of their own view in both. A
cell without samples counts as zeros there; here it keeps its F.
Look at: the time of a step.
Published: STL-10, 100 epochs, six partitions: 78.20 ± 0.16, where one F gives 77.86 ± 0.16 (section 4 and Table 8).
Held to: a computation sample by sample, `directpred` where all cells agree, two halves of a batch in two processes.
"""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from dcp.method.moments import NOT_KEPT, Total
from dcp.method.predictors import directpred, directset
from dcp.method.predictors.base import Predictor, PredictorConfig


class Config(PredictorConfig):
    """Keys of the partition; six planes are the paper's best."""

    symmetric: ClassVar[bool] = True  # each sample's own W is

    name: Literal["partition"] = "partition"
    planes: int = Field(6, ge=1, le=64, description="K, number of hyperplanes; each splits the projections in two")
    eps: float = Field(0.1, ge=0, description="ε, added to every eigenvalue of W")
    rho: float = Field(0.3, ge=0, lt=1, description="ρ, weight of the past in the F of each side")

    def clashes(self, recipe: Any) -> Iterator[tuple[str, str]]:
        """Matrices of the very batch, and a centred F: it keeps its own moments."""
        if recipe.moments.timing == "immediate":
            yield 'predictor.name = "partition" keeps F of its own, one step old', 'moments.timing = "stale"'
        if recipe.moments.zero_mean:
            yield 'predictor.name = "partition" keeps F of its own, never centred', "moments.zero_mean = false"


class Partition(Predictor):
    """Final: 2K matrices [D, D], of which each sample uses K; `total` adds a tensor up over processes."""

    a: Tensor
    moments: Tensor
    weights: Tensor
    updates: Tensor
    refresh_waits = True

    def __init__(self, dim: int, *, planes: int, eps: float, rho: float, total: Total) -> None:
        super().__init__()
        self.eps, self.rho, self.total = eps, rho, total
        self.register_buffer("a", torch.randn(dim, planes))
        self.register_buffer("moments", torch.zeros(2 * planes, dim, dim))
        self.register_buffer("weights", torch.eye(dim).repeat(2 * planes, 1, 1))
        self.register_buffer("updates", torch.zeros(2 * planes, dtype=torch.int64))

    def cells(self, z: Tensor) -> Tensor:
        """1 where a sample lies in a cell, [B, 2K]: the upper side of each plane, then the lower side of each."""
        height = z.detach() @ self.a.to(z.dtype)
        sums = self.total(torch.cat([height.sum(0), height.new_full((1,), len(z))]))
        upper = (height >= sums[:-1] / sums[-1]).to(z.dtype)
        return torch.cat([upper, 1 - upper], dim=1)

    def forward(self, z: Tensor) -> Tensor:
        """The mean over planes of W z with the W of z's side, [B, D]."""
        cells = self.cells(z)
        return torch.einsum("bc,ced,bd->be", 2 * cells / cells.shape[1], self.weights, z)

    @torch.no_grad()
    def refresh(self, F: Tensor, C: Tensor = NOT_KEPT, z: Tensor | None = None) -> None:
        """F of each cell from the projections z [N, D], then W of each cell."""
        if z is None:
            return
        cells, dim = self.cells(z), z.shape[1]
        sums = self.total(torch.cat([torch.einsum("bc,bd,be->cde", cells, z, z).flatten(), cells.sum(0)]))
        count = sums[-cells.shape[1] :]
        batch = sums[: -cells.shape[1]].view(-1, dim, dim) / count.clamp_min(1)[:, None, None]
        past = torch.where(count == 0, 1.0, torch.where(self.updates == 0, 0.0, self.rho)).to(z.dtype)[:, None, None]
        self.moments.copy_(past * self.moments.to(z.dtype) + (1 - past) * batch)
        self.updates.add_(count > 0)
        for F, W in zip(self.moments.to(z.dtype), self.weights, strict=True):
            W.copy_(directset.weight(F, alpha=0.5, eps=self.eps, floor=directpred.FLOOR))


def build(config: Config, dim: int, total: Total) -> Predictor:
    """A partitioned predictor of [B, dim], its planes from torch's generator."""
    return Partition(dim, planes=config.planes, eps=config.eps, rho=config.rho, total=total)
