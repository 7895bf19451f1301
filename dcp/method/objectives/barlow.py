"""Barlow Twins: the cross-correlation of the views is to be the identity (Zbontar et al. 2021, arXiv:2103.03230).

    L = Σ_i (1 - R_ii)² + λ Σ_{i≠j} R_ij²        R = ẑᵀ ẑ' / N, each dimension standardised over the batch

The batch is that of all processes. With a predictor p stands for z in the view that predicts; with `identity` the loss
is the published one. O(N D²).

Unverified: the paper's text was not at hand.
Differs: λ is 5e-3, as in lightly; the official release has 0.0051, and so has `cifar10_barlow`.
Look at: `effective_rank`.
Held to: a float64 computation from the formula to 1e-10, loss and gradient; lightly's `BarlowTwinsLoss` to 1e-10; two
processes to 1e-9.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from dcp.method.objectives.base import Loss, PairConfig, Setting, standardised


class Config(PairConfig):
    """Keys of Barlow Twins."""

    name: Literal["barlow"] = "barlow"
    off_diagonal: float = Field(5e-3, ge=0, description="λ, weight of the correlations between different dimensions")


def distance(R: Tensor, off_diagonal: float) -> Tensor:
    """Σ_i (1 - R_ii)² + λ Σ_{i≠j} R_ij², [], of a cross-correlation R [D, D]."""
    square, kept = R.square(), R.diagonal()
    return (1 - kept).square().sum() + off_diagonal * (square.sum() - kept.square().sum())


def build(config: Config, setting: Setting) -> Loss:
    """The loss (p, z, t) -> [B]: half of L, which is the same for both directions."""

    def loss(p: Tensor, z: Tensor, t: Tensor) -> Tensor:
        rows, _ = setting.gather(torch.cat([p, t], dim=1))
        first, second = (standardised(x) for x in rows.chunk(2, dim=1))
        return distance(first.T @ second / len(rows), config.off_diagonal).expand(len(p)) / 2

    return loss
