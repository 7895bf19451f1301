"""VISReg: variance, invariance and the shape of random slices (Wu, Balestriero, Levine 2026, arXiv:2606.02572).

    L = (1-λ) mean_{v,i} (z_vi - μ_i)² + λ (variance + shape + centre)        μ_i the mean of image i's global views
    variance = mean_j (1 - σ_j)²        centre = mean_j m_j²        shape = mean_{k,a} (sort_i(a·z̃_i)_k - q_k)²
    z̃ = (z - m)/sg(σ)        q_k = Φ⁻¹(k/(N+1))        m, σ mean and std (divisor N) of each dimension, of each view

shape is the sliced Wasserstein distance to a standard normal distribution; a are `slices` unit vectors, new ones at
each step. The batch is that of all processes. λ = 0.6 is advised for small data sets, 0.9 for ImageNet. O(V N K (D +
log N)). With a predictor, p stands for z in the first term; with `identity` the loss is the published one.

Source: equations 1 to 9, and the formulas of the release.
Unverified: the paper could not be read; its equations and the advice on λ are from two summaries of it. They have sums
over the samples in shape and over dimensions in centre; the means are the release's.
Differs: the release bounds σ from below by 1e-6 also in variance, which then has no gradient; here only in z̃. Its
processes draw slices of their own, ours the same. It takes 4,096 slices on ImageNet, and clips gradients at norm 1.
Look at: `spread`. The gradient of shape grows as 1/σ when the projections collapse (`theory/collapse`).
Held to: a float64 computation from the formula to 1e-10, with 2, 4 and 8 views; two processes to 1e-9.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from dcp.method.moments import full
from dcp.method.objectives._slices import directions, gap_to_centre
from dcp.method.objectives.base import PairConfig, Setting, ViewsConfig

FLOOR = 1e-6  # of σ where it divides


class Config(ViewsConfig, PairConfig):
    """Keys of VISReg."""

    name: Literal["visreg"] = "visreg"
    lam: float = Field(
        0.6, ge=0, le=1, description="λ, weight of the other three terms; the distance of the views has 1 - λ"
    )
    variance: float = Field(1.0, ge=0, description="weight of the squared distance of each std from 1")
    shape: float = Field(1.0, ge=0, description="weight of the sliced distance to a normal distribution")
    centre: float = Field(1.0, ge=0, description="weight of the squared mean")
    slices: int = Field(1024, ge=1, le=2**16, description="K, number of directions in which a step compares")


def quantiles(n: int, like: Tensor) -> Tensor:
    """Φ⁻¹(k/(N+1)) [N] for k = 1 ... N, of the dtype and on the device of `like`."""
    k = torch.arange(1, n + 1, dtype=like.dtype, device=like.device)
    q: Tensor = torch.special.ndtri(k / (n + 1))
    return q


def terms(z: Tensor, A: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """variance, shape and centre, each [], >= 0, of z [V, N, D], with the slices A [D, K]."""
    mean = z.mean(1, keepdim=True)
    centred = z - mean
    # a norm, and no root: its gradient is 0, and not infinite, where nothing varies
    std = torch.linalg.vector_norm(centred, dim=1, keepdim=True) / z.shape[1] ** 0.5
    along = (centred / std.detach().clamp_min(FLOOR) @ A).transpose(1, 2)  # a sort wants its samples side by side
    shape = (along.sort(-1).values - quantiles(z.shape[1], z)).square().mean()
    return (1 - std).square().mean(), shape, mean.square().mean()


def loss_of_views(setting: Setting, config: Config, p: Tensor, z: Tensor, t: Tensor) -> Tensor:
    """L, of which all but the distance of the views is the same for all images; [B]."""
    rows, _ = setting.gather(full(z).transpose(0, 1))
    A = directions(setting.moments.updates, z.shape[2], config.slices, rows.dtype)
    variance, shape, centre = terms(rows.transpose(0, 1), A)
    apart = config.variance * variance + config.shape * shape + config.centre * centre
    return (1 - config.lam) * gap_to_centre(p, t) + config.lam * apart.to(p.dtype)
