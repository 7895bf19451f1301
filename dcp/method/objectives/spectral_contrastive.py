"""Spectral contrastive: views of one image attract, others repel (HaoChen, Wei, Gaidon, Ma 2021, arXiv:2106.04156).

    L = -2 E[z·z'] + E[(z·z'')²]        z' the other view of the same image, z'' that of another image

Nothing is normalised. The second mean is over the N(N-1) pairs of different images in the batch of all processes. With
a predictor, p stands for z in the predicting view; with `identity` the loss is the published one. O(N² D).

Unverified: the paper's text could not be read.
Differs: the official release also shortens projections longer than √μ to that length and divides L by μ: `radius = √μ`
and `scale = 1/μ`, with μ = 1 on CIFAR-10 and 10 on ImageNet. Its pairs are those on one GPU.
Look at: `norm`: the learning rate must fit the size of the projections.
Held to: a float64 computation from the formula to 1e-10, loss and gradient; two processes to 1e-9.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from dcp.method.objectives.base import PairConfig, Setting

TINY = 1e-12  # a projection of length zero stays one


class Config(PairConfig):
    """Keys of the spectral contrastive loss."""

    name: Literal["spectral_contrastive"] = "spectral_contrastive"
    radius: float | None = Field(
        None, gt=0, description="shorten projections to at most this length; default: no limit"
    )


def shortened(x: Tensor, radius: float | None) -> Tensor:
    """Rows of x [N, D], none longer than `radius`."""
    if radius is None:
        return x
    factor: Tensor = (radius / x.norm(dim=-1, keepdim=True).clamp_min(TINY)).clamp_max(1)
    return x * factor


def loss_in(setting: Setting, config: Config, p: Tensor, z: Tensor, t: Tensor) -> Tensor:
    """Half of L's terms with this image's p; both directions have all pairs; [B]."""
    rows, start = setting.gather(shortened(t, config.radius))
    products = shortened(p, config.radius) @ rows.T
    mine = torch.arange(start, start + len(p), device=p.device)[:, None]
    pull = products.gather(1, mine).squeeze(1)
    push = products.scatter(1, mine, 0.0).square().sum(1) / (len(rows) - 1)
    return push / 2 - pull
