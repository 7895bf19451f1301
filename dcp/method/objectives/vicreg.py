"""VICReg: variance, invariance, covariance (Bardes, Ponce, LeCun 2022, arXiv:2105.04906).

    L = 25 mse(Z, Z') + 25 [v(Z) + v(Z')] + [c(Z) + c(Z')]
    v(Z) = mean_j max(0, 1 - √(Var_j + 1e-4))        c(Z) = (1/D) Σ_{i≠j} Cov_ij²        divisor N-1 in both

mse is the mean over images and dimensions. Variance and covariance are those of the batch of all processes. With a
predictor, p stands for z in the predicting view; with `identity` the loss is the published one. O(N D²).

Unverified: the paper's text could not be read; that it prints v(Z) + v(Z'), not half of it, is from memory. Weights,
divisors and the 1e-4 are those of the official release, read in a fork.
Differs: the release halves the variance term, and so does lightly: their 25 is `variance = 12.5` here.
Look at: `effective_rank`, which can stay full.
Held to: a float64 computation from the formula and lightly's `VICRegLoss` to 1e-10; two processes to 1e-9.
"""

from typing import Literal

from pydantic import Field
from torch import Tensor

from dcp.method.objectives.base import PairConfig, Setting

FLOOR = 1e-4  # added to the variance, so that its root has a gradient where nothing varies


class Config(PairConfig):
    """Keys of VICReg."""

    name: Literal["vicreg"] = "vicreg"
    invariance: float = Field(25.0, ge=0, description="weight of the squared distance between the views")
    variance: float = Field(25.0, ge=0, description="weight of the hinge that keeps each dimension's std at 1")
    covariance: float = Field(1.0, ge=0, description="weight of the squared covariances of different dimensions")


def variance(z: Tensor) -> Tensor:
    """v(Z), [], in [0, 1), of z [N, D]."""
    return (1 - (z.var(0) + FLOOR).sqrt()).relu().mean()


def covariance(z: Tensor) -> Tensor:
    """c(Z), [], >= 0, of z [N, D]."""
    centred = z - z.mean(0)
    cov = centred.T @ centred / (len(z) - 1)
    return (cov.square().sum() - cov.diagonal().square().sum()) / z.shape[1]


def loss_in(setting: Setting, config: Config, p: Tensor, z: Tensor, t: Tensor) -> Tensor:
    """Half the invariance, and variance and covariance of p alone; t has its turn too; [B]."""
    rows, _ = setting.gather(p)
    apart = config.variance * variance(rows) + config.covariance * covariance(rows)
    return config.invariance / 2 * (p - t).square().mean(-1) + apart
