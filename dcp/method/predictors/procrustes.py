"""Procrustes: the orthogonal W that turns projections onto their targets best.

    C = U Σ Vᵀ,     W = U Vᵀ = argmin E|t - W z|² over WᵀW = I = argmax tr(WᵀC)

C = E[t zᵀ] (Schönemann 1966). Richemond et al. 2023 ("The Edge of Orthogonality") have four closed-form predictors; an
orthogonal one of this kind is among what their abstract suggests, but the paper's body was not at hand (unverified).
"""

from typing import Literal

import torch
from torch import Tensor

from dcp.method import spectra
from dcp.method.moments import Total
from dcp.method.predictors.base import CrossConfig, SetLinear


class Config(CrossConfig):
    """Keys of the orthogonal predictor that is set: how often."""

    name: Literal["procrustes"] = "procrustes"


def weight(C: Tensor) -> Tensor:
    """W [D, D], orthogonal, from C [D, D]; I where C is zero or not finite.

    Where C has not full rank, the directions that it does not reach are turned in an arbitrary way.

    >>> weight(torch.tensor([[0.0, -3.0], [0.5, 0.0]]))
    tensor([[ 0., -1.],
            [ 1.,  0.]])
    """
    spectra.require_square(C)
    U, _, Vh = torch.linalg.svd(torch.where(spectra.finite(C), C, 0.0))
    return spectra.or_identity(U @ Vh, C)


def build(config: Config, dim: int, total: Total) -> SetLinear:
    """A predictor of [B, dim] that is set by `weight`."""

    def rule(F: Tensor, *, C: Tensor, v: Tensor) -> Tensor:
        return weight(C)

    return SetLinear(dim, rule, every=config.every, needs_cross=True)
