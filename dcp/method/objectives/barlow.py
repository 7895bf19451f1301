"""Barlow Twins: drives the cross-correlation of the two views to the identity (Zbontar et al. 2021, arXiv:2103.03230).

    L = Σ_i (1 - R_ii)² + λ Σ_{i≠j} R_ij²        R = ẑᵀ ẑ' / N, each dimension standardised over the batch

The batch is that of all processes. With a predictor, p stands for z in the predicting view; with `identity` the loss is
the published one. O(N D²).

Unverified: the paper's text could not be read.
Differs: λ is 5e-3, as in lightly; the official release has 0.0051, and so has `cifar10_barlow`.
Look at: `effective_rank`.
Held to: a float64 computation from the formula and lightly's `BarlowTwinsLoss` to 1e-10; two processes to 1e-9.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from dcp.method.objectives.base import PairConfig, Setting, standardised


class Config(PairConfig):
    """Keys of Barlow Twins."""

    name: Literal["barlow"] = "barlow"
    off_diagonal: float = Field(5e-3, ge=0, description="λ, weight of the correlations between different dimensions")


def loss_in(setting: Setting, config: Config, p: Tensor, z: Tensor, t: Tensor) -> Tensor:
    """Half of L, which is the same for both directions; [B]."""
    rows, _ = setting.gather(torch.cat([p, t], dim=1))
    first, second = (standardised(x) for x in rows.chunk(2, dim=1))
    R = first.T @ second / len(rows)
    off_diagonal = R.square().sum() - R.diagonal().square().sum()
    return ((1 - R.diagonal()).square().sum() + config.off_diagonal * off_diagonal).expand(len(p)) / 2
