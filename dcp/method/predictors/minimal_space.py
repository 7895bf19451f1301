"""Minimal space: the symmetric W that best fits the current projections (release of Tian, Chen, Ganguli 2021).

    W = argmin E|t - W z|² + λ‖W‖² over W = Wᵀ,     so     W A + A W = C + Cᵀ,     A = F + λI
    with A = U diag(a) Uᵀ:      (UᵀWU)_ij = (Uᵀ(C + Cᵀ)U)_ij / (a_i + a_j)

F = E[z zᵀ], C = E[t zᵀ]. Setting the gradient of the squared error to zero over symmetric W gives this equation,
which is solved exactly in F's basis. Without a signal, W is the identity. λ is a guess.

Source: `predictor_reg: minimal_space` of the release of arXiv:2102.06810; the paper does not report it.
Differs: the release adds a plain constant (`ridge_unit = "one"`) to the sum of two eigenvalues of F, so twice our λ,
and symmetrises C only if asked. Its options of a finite time, and of a positive or a diagonal W, are not here.
Look at: the eigenvalues of W, which need not be positive, so the IsoLoss objectives refuse it.
Held to: least squares over the free entries of W, the equation itself, rotations.
"""

from typing import Literal

from pydantic import Field
from torch import Tensor

from dcp.method import spectra
from dcp.method.moments import Total
from dcp.method.predictors.base import CrossConfig, SetLinear


class Config(CrossConfig):
    """Keys of the best symmetric W, which need not be positive."""

    name: Literal["minimal_space"] = "minimal_space"
    ridge: float = Field(0.01, ge=0, description="λ, added to every eigenvalue of F")
    ridge_unit: spectra.Unit = Field("mean", description="unit of ridge: F's mean eigenvalue tr F / D, or 1")


def weight(F: Tensor, C: Tensor, *, ridge: float, unit: spectra.Unit = "mean") -> Tensor:
    """W [D, D], symmetric, from F and C [D, D]; I where F is zero, singular (for ridge = 0), or not finite.

    >>> import torch
    >>> weight(torch.diag(torch.tensor([3.0, 1.0])), torch.tensor([[3.0, 4.0], [0.0, 2.0]]), ridge=0.0)
    tensor([[1., 1.],
            [1., 2.]])
    """
    s, U = spectra.eigh(F)
    a = s + spectra.ridge(F, ridge, unit)
    W = U @ ((U.T @ (C + C.T) @ U) / (a[:, None] + a)) @ U.T
    return spectra.or_identity((W + W.T) / 2, F)


def build(config: Config, dim: int, total: Total) -> SetLinear:
    """A predictor of [B, dim] that is set by `weight`."""
    return SetLinear(
        dim,
        lambda F, C, v: weight(F, C, ridge=config.ridge, unit=config.ridge_unit),
        config.every,
        needs_cross=True,
    )
