"""Moments: moving averages of the correlation of the online projections, and nothing about predictors.

    F ← ρ F + (1-ρ) E_B[z zᵀ]
    C ← ρ C + (1-ρ) E_B[t zᵀ]       t the mean target of the other views; kept only for those who ask for it

E_B is the mean over the batch of all processes and over all views: the raw second moment, not centred (Tian, Chen,
Ganguli 2021, arXiv:2102.06810, eq. 19; they tried centring and it hurt). float32, outside autocast. The first batch
starts F, so that there is no bias to correct; `start = "zeros"` is the reading of the IsoLoss release.

Shapes: B samples, D projection size.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from dcp.method.schedules import Number

Total = Callable[[Tensor], Tensor]  # adds a tensor up over processes
NOT_KEPT = torch.zeros(0, 0)  # in place of C where no predictor asks for it


class Statistics(NamedTuple):
    """Everything a moving average remembers."""

    second: Tensor  # [D, D] moving average of E[z zᵀ]
    first: Tensor  # [D] moving average of E[z]
    updates: Tensor  # [] int64, how many have gone in
    cross: Tensor  # [D, D] moving average of E[t zᵀ], or [0, 0] where it is not kept


def batch_moments(z: Tensor, total: Total, t: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """E[z zᵀ] [D, D], E[z] [D] and E[t zᵀ] [D, D] over the samples of all processes, whatever each one's share.

    Sums and counts are added up first and divided once: a mean of means would be wrong for unequal shares. z [B, D] are
    this process's projections, t [B, D] what they are to predict; without t E[t zᵀ] is empty, [0, 0].
    """
    z, dim = full(z.detach()), z.shape[1]
    cross = z.new_zeros(0, 0) if t is None else full(t.detach()).T @ z
    sums = total(torch.cat([(z.T @ z).flatten(), z.sum(0), cross.flatten(), z.new_full((1,), len(z))]))
    second, first, mixed = (sums[:-1] / sums[-1]).split([dim * dim, dim, cross.numel()])
    return second.view(dim, dim), first, mixed.view(cross.shape)


def full(x: Tensor) -> Tensor:
    """float32 for what autocast made half; float64 stays."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def own(sums: Tensor) -> Tensor:
    """The total over processes when there is one process."""
    return sums


class Moments(nn.Module):
    """F and what it is made of, as buffers that a checkpoint keeps.

    Args:
        dim: D.
        rho: ρ, weight of the past, in [0, 1); a scalar tensor, which no checkpoint keeps, if it changes.
        start: "first" (the first batch is F) or "zeros".
        zero_mean: F is E[z zᵀ] - m mᵀ, m the moving average of E[z]: the release's option, not the paper's.
        cross: keep C as well.
        total: adds a tensor up over processes.
    """

    second: Tensor
    first: Tensor
    updates: Tensor
    cross: Tensor
    rho: Number

    def __init__(
        self,
        dim: int,
        *,
        rho: Number,
        start: Literal["first", "zeros"] = "first",
        zero_mean: bool = False,
        cross: bool = False,
        total: Total = own,
    ) -> None:
        super().__init__()
        self.start, self.zero_mean, self.total = start, zero_mean, total
        if isinstance(rho, Tensor):
            self.register_buffer("rho", rho, persistent=False)
        else:
            self.rho = rho
        self.register_buffer("second", torch.zeros(dim, dim))
        self.register_buffer("first", torch.zeros(dim))
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))
        self.keeps_cross = cross
        # [0, 0] is no tensor that a checkpoint could hold everywhere, so it is left out of it
        self.register_buffer("cross", torch.zeros(dim, dim) if cross else torch.zeros(0, 0), persistent=cross)

    @property
    def now(self) -> Statistics:
        """The statistics up to the last update."""
        return Statistics(self.second, self.first, self.updates, self.cross)

    @torch.no_grad()
    def blend(self, past: Statistics, z: Tensor, t: Tensor | None = None) -> Statistics:
        """What `past` becomes when the batch z [B, D] goes in, with what it predicts, t [B, D]; changes nothing."""
        batch = batch_moments(z, self.total, t if self.keeps_cross else None)
        fresh = (past.updates == 0) & (self.start == "first")
        rho = (~fresh).to(batch[0].dtype) * self.rho
        averages = (past.second, past.first, past.cross)
        second, first, cross = (rho * old + (1 - rho) * new for old, new in zip(averages, batch, strict=True))
        return Statistics(second, first, past.updates + 1, cross)

    def correlation(self, statistics: Statistics) -> Tensor:
        """F [D, D] of the statistics, centred if asked for; C is never centred."""
        if not self.zero_mean:
            return statistics.second
        return statistics.second - torch.outer(statistics.first, statistics.first)

    @torch.no_grad()
    def store(self, statistics: Statistics) -> None:
        """Make `statistics` the present."""
        for buffer, value in zip(self.now, statistics, strict=True):
            buffer.copy_(value)

    @property
    def F(self) -> Tensor:
        """The correlation matrix F [D, D] up to the last update."""
        return self.correlation(self.now)
