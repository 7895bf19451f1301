"""NT-Xent: the contrastive loss of SimCLR (Chen, Kornblith, Norouzi, Hinton 2020, arXiv:2002.05709, eq. 1).

    ℓ_i = -log [ exp(s(z_i, z'_i)/T) / Σ_k exp(s(z_i, k)/T) ]        s the cosine; k over all 2N - 1 other projections

The mean over the 2N projections of both views is the loss. T = 0.5 is that of the DirectPred release, 0.1 SimCLR's on
ImageNet. With a predictor, p stands for z in the predicting view; with `identity` the loss is the published one. O(N²
D).

Differs: negatives are gathered from all processes, with their gradient. No memory bank.
Look at: `loss`: chance gives log(2N - 1).
Held to: a float64 computation from the formula and lightly's `NTXentLoss` to 1e-10; two processes to 1e-9.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as fn

from dcp.method.objectives.base import PairConfig, Setting


class Config(PairConfig):
    """Keys of NT-Xent."""

    name: Literal["ntxent"] = "ntxent"
    temperature: float = Field(0.5, gt=0, description="temperature T, which divides the cosines")


def loss_in(setting: Setting, config: Config, p: Tensor, z: Tensor, t: Tensor) -> Tensor:
    """Half of ℓ for the anchors p, so that both directions are the mean over views; [B]."""
    rows, start = setting.gather(torch.cat([z, t], dim=1))
    same, other = (fn.normalize(x, dim=-1) for x in rows.chunk(2, dim=1))
    anchor, mine = fn.normalize(p, dim=-1), torch.arange(start, start + len(p), device=p.device)
    itself = (anchor @ same.T).scatter(1, mine[:, None], -torch.inf)  # an anchor is no negative of its own
    logits = torch.cat([anchor @ other.T, itself], dim=1) / config.temperature
    return fn.cross_entropy(logits, mine, reduction="none") / 2
