"""Newton-Schulz: the orthogonal factor of C, by matrix products alone (compare Richemond et al. 2023).

    X ← C / ‖C‖_F,      n times  X ← X (3I - XᵀX) / 2,      W = X

C = E[t zᵀ]. Each singular value follows σ ← σ (3 - σ²) / 2 and tends to 1, so W tends to the U Vᵀ of `procrustes` if C
has full rank. There is no decomposition, so it suits GPUs. Without a signal, W is the identity.

Unverified: the body of Richemond et al. ("The Edge of Orthogonality") could not be read, so whether they iterate, and
how often, is open. n = 12 and the recipe's ρ = 0.9 are guesses.
Differs: unknown. n is fixed, and a small σ grows by 3/2 per iteration: any below (2/3)ⁿ ‖C‖_F (0.8 % for n = 12) is
still small after n. This acts as a soft rank: where z says nothing about t, W is small, while Procrustes turns at
random.
Look at: the eigenvalues of W's symmetric part: near 1 where z predicts t, near 0 elsewhere.
Held to: the singular-value decomposition of well-conditioned C to 1e-10, the scalar iteration, rotations.
"""

from typing import Literal

from pydantic import Field
from torch import Tensor

from dcp.method import spectra
from dcp.method.moments import Total
from dcp.method.predictors.base import CrossConfig, SetLinear


class Config(CrossConfig):
    """Keys of the polar factor."""

    name: Literal["newton_schulz"] = "newton_schulz"
    iterations: int = Field(
        12, ge=1, le=100, description="n, iterations of two matrix products; raise it if C has a wide spectrum"
    )


def weight(C: Tensor, *, iterations: int) -> Tensor:
    """W [D, D] with singular values in [0, 1], from C [D, D]; I where C is zero or not finite.

    >>> import torch
    >>> weight(torch.tensor([[0.0, -3.0], [2.0, 0.0]]), iterations=10).round(decimals=4)
    tensor([[ 0., -1.],
            [ 1.,  0.]])
    """
    spectra.require_square(C)
    X = spectra.divided(C, C.norm())
    for _ in range(iterations):
        X = 1.5 * X - 0.5 * X @ (X.T @ X)
    return spectra.or_identity(X, C)


def build(config: Config, dim: int, total: Total) -> SetLinear:
    """A predictor of [B, dim] that is set by `weight`."""
    return SetLinear(
        dim,
        lambda F, C, v: weight(C, iterations=config.iterations),
        config.every,
        needs_cross=True,
        refresh_waits=False,
    )
