"""Regression: the predictor that best fits the current projections, by ridge regression, in either order.

    right   W = C (F + λI)⁻¹        the minimiser of E|t - W z|² + λ‖W‖²
    left    W = (F + λI)⁻¹ C        the other order, as in the official release

F = E[z zᵀ], C = E[t zᵀ]. "left" is the same matrix if C commutes with F, and its transpose if C is symmetric, as it is
on average with `target.name = "online"`. Without a signal, W is the identity. With samples as rows,
P = (A + λI)⁻¹ M, M = E[z tᵀ], is our "right" transposed.

Source: the "optimal predictor" of Tian, Chen, Ganguli 2021 (arXiv:2102.06810, Table 1), `predictor_reg: solve` of their
release. Richemond et al. 2023 ("The Edge of Orthogonality") have four predictors in closed form (abstract).
Unverified: the body of Richemond et al. could not be read: whether ridge regression is one of their four, and with
which λ and ρ, is open; ours are guesses.
Differs: in the version that we read, the release's inverse has a vector where a diagonal matrix belongs, so it is no
inverse of F; ours is a linear solve. Its λ is a plain number (`ridge_unit = "one"`), ours is in units of F's mean
eigenvalue. Table 1 symmetrises W: `symmetrise = true`.
Look at: the loss and the effective rank: in the linear model with a square W and `target.name = "online"`, the optimal
predictor leaves the encoder no gradient except weight decay.
Published: STL-10, 100 epochs, symmetrised, solved every 1, 2, 3 or 5 batches, moving-average target: 40.67 ± 0.50,
35.29 ± 2.49, 34.60 ± 0.98, 35.63 ± 2.66 (Table 1).
Held to: `numpy.linalg.lstsq` on the stacked samples, with and without λ, rotations.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from dcp.method import spectra
from dcp.method.moments import Total
from dcp.method.predictors.base import CrossConfig, SetLinear

Order = Literal["right", "left"]


class Config(CrossConfig):
    """Keys of the regression."""

    name: Literal["regression"] = "regression"
    ridge: float = Field(0.01, ge=0, description="λ, added to every eigenvalue of F; 0 needs a full-rank F")
    ridge_unit: spectra.Unit = Field("mean", description="unit of ridge: F's mean eigenvalue tr F / D, or 1")
    order: Order = Field("right", description='side of C on which the inverse stands; "right" is least squares')
    symmetrise: bool = Field(False, description="replace W by (W + Wᵀ)/2, as in Table 1 of the DirectPred paper")


def weight(
    F: Tensor, C: Tensor, *, ridge: float, unit: spectra.Unit = "mean", order: Order = "right", symmetrise: bool = False
) -> Tensor:
    """W [D, D] from F and C [D, D]; I where F is zero or anything is not finite.

    With ridge = 0 an F of few samples is singular up to rounding, and W as large as rounding makes it.

    >>> weight(torch.diag(torch.tensor([4.0, 1.0])), torch.diag(torch.tensor([2.0, 1.0])), ridge=0.0).diag()
    tensor([0.5000, 1.0000])
    """
    spectra.require_square(F)
    A = F + spectra.ridge(F, ridge, unit) * torch.eye(len(F), dtype=F.dtype, device=F.device)
    W: Tensor = torch.linalg.solve_ex(A, C, left=order == "left").result  # unlike solve it never stops to look
    if symmetrise:
        W = (W + W.T) / 2
    return spectra.or_identity(W, F)


def build(config: Config, dim: int, total: Total) -> SetLinear:
    """A predictor of [B, dim] that is set by `weight`."""

    def rule(F: Tensor, C: Tensor, v: Tensor) -> Tensor:
        return weight(
            F, C, ridge=config.ridge, unit=config.ridge_unit, order=config.order, symmetrise=config.symmetrise
        )

    return SetLinear(dim, rule, config.every, needs_cross=True)
