"""The data of the theory: Gaussian x, and views that scramble everything outside a subspace S.

    x ~ N(0, I_D),   x₁ = x + n₁,   x₂ = x + n₂,   n ~ N(0, σ²(I - P_S))
    X_s = E[x₁x₁ᵀ] = I + σ²(I - P_S)        of one view with itself
    X_d = E[x₁x₂ᵀ] = I                      of two views of one image

The setting of Wang, Chen, Du, Tian 2021 (unverified, see docs/sources.md). With kept = 0 it is Assumption 2 of Tian,
Chen, Ganguli 2021: X = I, X' = X_s - X_d = σ²I.

Shapes: D dimensions, B samples.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Gaussian:
    """The distribution; `P` [D, D] projects on S."""

    P: Tensor
    sigma2: float

    @property
    def rest(self) -> Tensor:
        """I - P_S, [D, D]."""
        return torch.eye(len(self.P), dtype=self.P.dtype) - self.P

    @property
    def X_s(self) -> Tensor:
        """Second moment of a view, [D, D]."""
        return self.X_d + self.sigma2 * self.rest

    @property
    def X_d(self) -> Tensor:
        """Second moment between two views, [D, D]."""
        return torch.eye(len(self.P), dtype=self.P.dtype)

    def views(self, batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Two views [B, D] of the same images."""
        x, first, second = torch.randn(3, batch, len(self.P), generator=generator, dtype=self.P.dtype)
        noise = self.sigma2**0.5 * self.rest
        return x + first @ noise, x + second @ noise


def gaussian(dim: int, kept: int, sigma2: float, generator: torch.Generator | None = None) -> Gaussian:
    """The distribution in `dim` dimensions of which `kept` are in S.

    Args:
        dim: D.
        kept: r, the dimension of S, from 0 to D.
        sigma2: σ².
        generator: for a random S; without one S is spanned by the first axes.
    """
    basis = torch.eye(dim, dtype=torch.float64)
    if generator is not None:
        basis = torch.linalg.qr(torch.randn(dim, dim, generator=generator, dtype=torch.float64))[0]
    S = basis[:, :kept]
    return Gaussian(S @ S.T, sigma2)
