"""Top k: the predictor keeps the k strongest directions and drops the rest (compare Richemond et al. 2023).

    W = U_k U_kᵀ        U_k the top-k eigenvectors of F, or of (C + Cᵀ)/2

F = E[z zᵀ], C = E[t zᵀ]; of C, the largest eigenvalues, not the largest in magnitude. Without a signal, W is the
identity.

Source: "The Edge of Orthogonality": a linear predictor's optimum is near an orthogonal projection (abstract).
Unverified: the body of that paper could not be read, so whether this is one of its four closed forms is open. k is a
guess, and so is ρ = 0.9 in the recipe.
Differs: unknown. What W drops gets no gradient from the prediction error, and the top k may change from step to step.
Look at: the effective rank of F, which cannot be expected above k.
Held to: W² = W = Wᵀ, the share of E|z|² that is kept (Eckart-Young), random projections, rotations.
"""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from dcp.catalogue import WIDEST
from dcp.method import spectra
from dcp.method.moments import Total
from dcp.method.predictors.base import ClosedConfig, SetLinear


class Config(ClosedConfig):
    """Keys of the projection."""

    symmetric: ClassVar[bool] = True

    name: Literal["top_k"] = "top_k"
    k: int | None = Field(None, ge=1, le=WIDEST, description="rank of W; default: half of D")
    of: Literal["F", "C"] = Field("F", description="which eigenvectors: those of F, or of the symmetric part of C")

    def clashes(self, recipe: Any) -> Iterator[tuple[str, str]]:
        """More directions than there are; a C that cannot be centred."""
        yield from super().clashes(recipe)
        if self.of == "C" and recipe.moments.zero_mean:
            yield 'predictor.of = "C" is not centred, and zero_mean asks for it', "moments.zero_mean = false"
        dim = recipe.network.projector.out
        if self.k is not None and self.k > dim:
            yield (
                f"predictor.k = {self.k} directions of network.projector.out = {dim}: there are no more",
                f"at most {dim}",
            )


def weight(M: Tensor, *, k: int) -> Tensor:
    """W [D, D] of rank k from M [D, D], of which the symmetric part counts; I where M is zero or not finite.

    >>> weight(torch.diag(torch.tensor([4.0, 1.0, 2.0])), k=2).diag()
    tensor([1., 0., 1.])
    """
    U = torch.linalg.eigh(spectra.checked(M))[1][:, len(M) - k :]
    return spectra.or_identity(U @ U.T, M)


def build(config: Config, dim: int, total: Total) -> SetLinear:
    """A predictor of [B, dim] that is set by `weight`."""
    k = config.k or max(1, dim // 2)
    return SetLinear(
        dim, lambda F, C, v: weight(C if config.of == "C" else F, k=k), config.every, needs_cross=config.of == "C"
    )
