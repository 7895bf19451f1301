"""SSL-EY: the top subspace of CCA as a loss without constraints (Chapman, Lawry Aguila, Wells 2024, arXiv:2310.01012).

    L = -2 tr C + tr(V V)        C = Σ_{i≠j} Cov(zᵢ, zⱼ)        V = Σᵢ Cov(zᵢ, zᵢ)        divisor N-1

By Eckart and Young the least L of linear maps is -Σ ρ_k² of their D largest generalised eigenvalues ρ of C against V:
of two views the canonical correlations, of more those of multiset CCA. Nothing is whitened, and no matrix is inverted
or decomposed. The batch is that of all processes. With a predictor, p stands for z. O(V N D min(V N, D)).

Source: the release (jameschapman19/SSL-EY, MIT) and lightly's `SSLEYLoss`, both of two views; of more, cca-zoo's sums
over views. CIFAR-10 in solo-learn's file `ssley.yaml`.
Unverified: the paper's text could not be read; so neither that it has the sums for more than two views without a
divisor (cca-zoo divides both by their number V, which is another loss), nor its ridge α, which is 0 here.
Differs: an early `ssley_loss_func` of solo-learn has tr C - tr(V V), which is another loss with the other sign.
Look at: `loss`: 0 where all is one point, at best -D (V-1)², with views that agree and Cov(zᵢ, zᵢ) = (V-1)/V I: for two
views -D, with a variance of 1/2 in each dimension. It is of fourth order in z: SGD at the rates of other losses
diverges within a few steps; LARS, as in the release, and AdamW do not.
Held to: a float64 computation from the formula, of 2, 4 and 8 views, to 1e-10; two processes to 1e-9.
"""

from typing import Literal

import torch
from torch import Tensor

from dcp.method.objectives.base import PairConfig, Setting, ViewsConfig


class Config(ViewsConfig, PairConfig):
    """SSL-EY has no keys of its own."""

    name: Literal["ssl_ey"] = "ssl_ey"


def loss_of_views(setting: Setting, config: Config, p: Tensor, z: Tensor, t: Tensor) -> Tensor:
    """L of p [V, B, D], the same for every image; [B]."""
    rows, _ = setting.gather(torch.cat([*p], dim=1))
    N = len(rows)
    views = (rows - rows.mean(0)).unflatten(1, (len(p), -1))  # [N, V, D]
    between = (views.sum(1).square().sum() - views.square().sum()) / (N - 1)  # tr C
    stacked = views.flatten(0, 1)
    gram = stacked.T @ stacked if stacked.shape[1] <= len(stacked) else stacked @ stacked.T  # of the same norm
    loss: Tensor = gram.square().sum() / (N - 1) ** 2 - 2 * between
    return loss.expand(p.shape[1])
