"""What a predictor is: a map from online projections z to predictions p of the target's projections, both [B, D].

A predictor is learnt by gradient, or set from F = E[z zᵀ], or has nothing to learn; which of these is no flag but
follows from its parameters. A variant is a file in `predictors/` with a `Config` and `build(config, dim) ->
Predictor`.

Shapes: B samples, D projection size. Rows are samples, so p = z Wᵀ.
"""

from collections.abc import Callable
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from dcp import spectra
from dcp.variants import VariantConfig

# Power iterations at each refresh. F moves slowly and v is kept, so a few are enough; the error is bounded in
# tests/maths.
ITERATIONS = 8


class LearntConfig(VariantConfig):
    """Keys of a predictor that the optimizer steps on."""

    lr_factor: float = Field(1.0, gt=0, description="α_p: learning rate of the predictor over that of the encoder")
    lr_schedule: Literal["same", "constant"] = Field(
        "same", description='"constant" keeps the predictor\'s rate at its start value, as SimSiam does'
    )
    weight_decay: float | None = Field(
        None, ge=0, description="weight decay of the predictor; without it optimizer.weight_decay"
    )


class SetConfig(LearntConfig):
    """Keys of a predictor that is set from F. The learning rate matters only between two settings (every > 1)."""

    norm: Literal["spectral", "fro", "none"] = Field(
        "spectral", description="what F is divided by: its largest eigenvalue, its Frobenius norm, or nothing"
    )
    every: int = Field(
        1,
        ge=1,
        description="W is set at every k-th step; in between the optimizer steps on it (k = 1: always set)",
    )


class Predictor(nn.Module):
    """Abstract: [B, D] -> [B, D]."""

    every: int = 1

    def forward(self, z: Tensor) -> Tensor:
        """Predictions p [B, D] of projections z [B, D]."""
        raise NotImplementedError  # abstract: every file in predictors/ has its own

    def refresh(self, F: Tensor) -> None:
        """Set the weight from F [D, D]; a predictor that is not set ignores it."""

    def set_by(self, F: Tensor) -> Tensor | None:
        """The weight [D, D] that `refresh` would set, without setting it; None for a predictor that is not set."""
        return None

    @property
    def matrix(self) -> Tensor | None:
        """W [D, D] where the predictor is one matrix, else None."""
        return None


class SetLinear(Predictor):
    """Final: p = z Wᵀ with W set from F; W starts as I.

    Args:
        dim: D.
        rule: (F [D, D], v [D]) -> W [D, D]; v is a running estimate of F's top eigenvector.
        every: W is set at every k-th step. For k > 1 it is a parameter that the optimizer steps on in between, as in
            the official release, which never resets its momentum.
        iterations: of power iteration on v before each call of the rule; 0 for a rule that makes no use of v.
    """

    W: Tensor
    v: Tensor

    def __init__(
        self, dim: int, *, rule: Callable[[Tensor, Tensor], Tensor], every: int = 1, iterations: int = 0
    ) -> None:
        super().__init__()
        self.rule, self.every, self.iterations = rule, every, iterations
        if every > 1:
            self.W = nn.Parameter(torch.eye(dim))
        else:
            self.register_buffer("W", torch.eye(dim))
        self.register_buffer("v", spectra.start_vector(dim))

    def forward(self, z: Tensor) -> Tensor:
        """P = z Wᵀ, [B, D]."""
        return z @ self.W.T

    def set_by(self, F: Tensor) -> Tensor:
        """W [D, D] by the rule; no gradient flows through F or W's construction."""
        return self.rule(F, self._top(F))

    def _top(self, F: Tensor) -> Tensor:
        if self.iterations == 0:
            return self.v
        return spectra.power_iteration(F, self.v.to(F.dtype), self.iterations)

    @torch.no_grad()
    def refresh(self, F: Tensor) -> None:
        """v, then W, from F [D, D]."""
        v = self._top(F)
        self.W.copy_(self.rule(F, v))
        self.v.copy_(v)

    @property
    def matrix(self) -> Tensor:
        """W [D, D]."""
        return self.W
