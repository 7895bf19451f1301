"""SIGReg: LeJEPA, a test of normality on random slices of the projections (Balestriero, LeCun 2025, arXiv:2511.08544).

    L = (1-λ) mean_{v,i} (z_vi - μ_i)² + λ mean_{v,a} T({a·z_vi}_i)        μ_i the mean of the global views of image i
    T({x_i}) = N ∫_{-3}^{3} |mean_i exp(i s x_i) - exp(-s²/2)|² exp(-s²/2) ds        (Epps, Pulley 1983)

a are `slices` unit vectors, new ones at each step. The integral is the trapezoid's over 17 nodes on [0, 3], twice. Each
view is tested alone, over the batch of all processes. λ = 0.05 is the paper's advice. O(V N K (D + 17)). With a
predictor, p stands for z in the first term; with `identity` the loss is the published one.

Source: algorithm 2 and section 5, and the release's `EppsPulley` and `SlicingUnivariateTest`.
Unverified: the figures and equations of the paper that are pictures in the text that was read.
Differs: the paper advises nodes on [-5, 5]; [0, 3] is the release's. The slices of a step are not the release's, as
they come from another generator; as there, they are the same for all seeds.
Look at: `spread`. T grows with N, so the same λ weighs the test more in a larger batch.
Held to: a float64 computation from the formula to 1e-10, with 2, 4 and 8 views; two processes to 1e-9.
"""

from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from dcp.method.moments import full
from dcp.method.objectives._slices import directions, gap_to_centre
from dcp.method.objectives.base import PairConfig, Setting, ViewsConfig

NODES = [3 * k / 16 for k in range(17)]


class Config(ViewsConfig, PairConfig):
    """Keys of SIGReg."""

    name: Literal["sigreg"] = "sigreg"
    lam: float = Field(0.05, ge=0, le=1, description="λ, weight of the test; the distance of the views has 1 - λ")
    slices: int = Field(1024, ge=1, le=2**16, description="K, number of directions in which a step tests")


class Waves(torch.autograd.Function):
    """mean_i cos(s x_i) and mean_i sin(s x_i) of x [..., N, K], each [..., K, 17], for the nodes s.

    The gradient computes the waves again: kept, they would take 34 times the memory of x, and 2 to 3 times as long.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        """Both means."""
        ctx.save_for_backward(x)
        angles = (s * x for s in NODES)
        real, imaginary = zip(*((angle.cos().mean(-2), angle.sin_().mean(-2)) for angle in angles), strict=True)
        return torch.stack(real, -1), torch.stack(imaginary, -1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        """The gradient in x."""
        (x,) = ctx.saved_tensors
        slope = torch.zeros_like(x)
        real, imaginary = (grad[..., None, :, :] / x.shape[-2] for grad in grads)
        for k, s in enumerate(NODES):
            angle = s * x
            slope.addcmul_(angle.cos(), s * imaginary[..., k])
            slope.addcmul_(angle.sin_(), -s * real[..., k])
        return slope


def epps_pulley(x: Tensor) -> Tensor:
    """The statistic T [..., K], >= 0, of samples x [..., N, K] in each of K slices."""
    s = torch.linspace(0, NODES[-1], len(NODES), dtype=x.dtype, device=x.device)
    normal = (-s.square() / 2).exp()
    real, imaginary = Waves.apply(x)
    error = (real - normal).square() + imaginary.square()
    return 2 * x.shape[-2] * torch.trapezoid(error * normal, dx=NODES[1])


def loss_of_views(setting: Setting, config: Config, p: Tensor, z: Tensor, t: Tensor) -> Tensor:
    """L, of which the test is the same for all images; [B]."""
    rows, _ = setting.gather(full(z).transpose(0, 1))
    A = directions(setting.moments.updates, z.shape[2], config.slices, rows.dtype)
    test = epps_pulley(rows.transpose(0, 1) @ A).mean()
    return (1 - config.lam) * gap_to_centre(p, t) + config.lam * test.to(p.dtype)
