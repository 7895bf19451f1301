"""NT-Xent: the contrastive loss of SimCLR (Chen, Kornblith, Norouzi, Hinton 2020, arXiv:2002.05709, eq. 1).

    ℓ_i = -log [ exp(s(z_i, z'_i)/T) / Σ_k exp(s(z_i, k)/T) ]        s the cosine; k over all 2N - 1 other projections

The mean over the 2N projections of both views is the loss. T = 0.5 is the value in the official DirectPred release; on
ImageNet SimCLR has 0.1. With a predictor p stands for z in the view that predicts; with `identity` the loss is the
published one. O(N² D), memory [N, 2N].

Differs: negatives are gathered from all processes, with their gradient. No memory bank.
Look at: `loss`: log(2N - 1) is what chance gives.
Held to: a float64 computation from the formula to 1e-10, loss and gradient; lightly's `NTXentLoss` to 1e-10 at two
temperatures; two processes to 1e-9.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as fn

from dcp.method.objectives.base import Loss, PairConfig, Setting


class Config(PairConfig):
    """Keys of NT-Xent."""

    name: Literal["ntxent"] = "ntxent"
    temperature: float = Field(0.5, gt=0, description="T, by which the cosines are divided")


def build(config: Config, setting: Setting) -> Loss:
    """The loss (p, z, t) -> [B]: half of ℓ for the anchors p, so that both directions are the mean over views."""

    def loss(p: Tensor, z: Tensor, t: Tensor) -> Tensor:
        rows, start = setting.gather(torch.cat([z, t], dim=1))
        same, other = (fn.normalize(x, dim=-1) for x in rows.chunk(2, dim=1))
        anchor, mine = fn.normalize(p, dim=-1), torch.arange(start, start + len(p), device=p.device)
        itself = (anchor @ same.T).scatter(1, mine[:, None], -torch.inf)  # an anchor is no negative of its own
        logits = torch.cat([anchor @ other.T, itself], dim=1) / config.temperature
        return fn.cross_entropy(logits, mine, reduction="none") / 2

    return loss
