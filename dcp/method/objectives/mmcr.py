"""MMCR: the nuclear norm of the views' centroids is to be large (Yerxa et al. 2023, arXiv:2303.03307).

    L = -‖C‖_* + λ/N Σ_n ‖Z_n‖_*        c_n = ½ (mean_i ẑ_ni + mean_g t̂_ng)        ẑ, t̂ divided by their norms

‖·‖_* is the sum of the singular values, C [N, D] has a row for each image of the batch of all processes, Z_n [D, V] a
column for each of the V views of an image. Centroids are long where views agree, and the norm is large where they point
everywhere. `shared` as target gives the centroid of all views; with `ema` it is that of the release for ImageNet: the
mean of both branches' centroids. With a predictor, p stands for z. O(N D min(N, D)).

The singular values make the host wait for a GPU, so a step is not replayed as a CUDA graph. Their gradient is that of a
polar factor, U Vᵀ, which has no gaps between singular values in it: where some are equal or zero it is one of many.

Source: the release (ThomasYerxa/mmcr, MIT): losses, λ = 0, and for CIFAR 40 views, batch 32, Adam at 1e-3.
Unverified: the paper's text could not be read, beyond its abstract.
Differs: the release holds other processes' rows fixed and here they have their gradient. Local views count in the mean
over i alone.
Look at: `loss`: -√N where all is one point, at best -√(N min(N, D)).
Held to: a float64 computation from the formula, of 2, 4 and 8 views, to 1e-10; two processes to 1e-9.
"""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as fn

from dcp.method.moments import full
from dcp.method.objectives.base import Setting, ViewsConfig


class Config(ViewsConfig):
    """Keys of MMCR."""

    keeps_apart: ClassVar[bool] = True
    waits: ClassVar[bool] = True

    name: Literal["mmcr"] = "mmcr"
    within: float = Field(0.0, ge=0, description="λ, weight of the nuclear norms of each image's views")


def nuclear(x: Tensor) -> Tensor:
    """Sum of the singular values, [...], of x [..., N, D]."""
    singular: Tensor = torch.linalg.svdvals(full(x))
    return singular.sum(-1).to(x.dtype)


def loss_of_views(setting: Setting, config: Config, p: Tensor, z: Tensor, t: Tensor) -> Tensor:
    """L of p [V, B, D] and t [G, B, D], the same for every image; [B]."""
    unit = fn.normalize(p, dim=-1)
    centroids = (unit.mean(0) + fn.normalize(t, dim=-1).mean(0)) / 2
    loss = -nuclear(setting.gather(centroids)[0])
    if config.within == 0:
        return loss.expand(p.shape[1])
    return loss + config.within * nuclear(unit.permute(1, 2, 0))
