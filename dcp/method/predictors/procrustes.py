"""Procrustes: the orthogonal W that best rotates projections onto their targets (Schönemann 1966).

    C = U Σ Vᵀ,     W = U Vᵀ = argmin E|t - W z|² over WᵀW = I = argmax tr(WᵀC)

C = E[t zᵀ]. Without a signal W is the identity.

Source: as a predictor Richemond et al. 2023, "The Edge of Orthogonality".
Unverified: the body of Richemond et al. could not be read. Their abstract mentions four closed-form predictors and
orthogonality; whether this is one of them is open. ρ = 0.9 in the recipe is a guess.
Differs: unknown. If C does not have full rank, the directions that it does not reach are turned arbitrarily.
Look at: the effective rank: an orthogonal W lengthens nothing, so all directions learn at the same pace, noise too.
Held to: `scipy.linalg.orthogonal_procrustes`, WᵀW = I, other rotations, none of which is better.
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

    >>> weight(torch.tensor([[0.0, -3.0], [0.5, 0.0]]))
    tensor([[ 0., -1.],
            [ 1.,  0.]])
    """
    spectra.require_square(C)
    U, _, Vh = torch.linalg.svd(torch.where(spectra.finite(C), C, 0.0))
    return spectra.or_identity(U @ Vh, C)


def build(config: Config, dim: int, total: Total) -> SetLinear:
    """A predictor of [B, dim] that is set by `weight`."""
    return SetLinear(dim, lambda F, C, v: weight(C), config.every, needs_cross=True)
