"""Re-weighting: a fixed weight for each unit, falling geometrically (after Xue et al. 2024).

    p_i = κ^i z_i,   i = 0, ..., D-1,   0 < κ < 1

The paper proposes a fixed element-wise re-weighting instead of a learned projector, because deeper layers weight
features ever more unequally. Nothing in it is learned or set.

Source: Investigating the Benefits of Projection Head for Representation Learning.
Unverified: only the abstract could be read; the form κ^i and the value of κ are guesses.
Differs: theirs replaces the projector, on both sides. Here it is a predictor, on the online side alone; whether that
prevents a collapse is open.
Look at: the effective rank, and the state of the run.
Held to: W = diag(1, κ, κ², ...) by hand.
"""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from dcp.method.moments import Total
from dcp.method.predictors.base import Predictor, PredictorConfig


class Config(PredictorConfig):
    """Keys of the re-weighting."""

    symmetric: ClassVar[bool] = True

    name: Literal["reweighting"] = "reweighting"
    kappa: float = Field(0.95, gt=0, lt=1, description="κ, weight of each unit relative to the one before it")


class Reweighting(Predictor):
    """Final: a fixed diagonal matrix [D, D]."""

    w: Tensor

    def __init__(self, dim: int, *, kappa: float) -> None:
        super().__init__()
        self.register_buffer("w", kappa ** torch.arange(dim), persistent=False)

    def forward(self, z: Tensor) -> Tensor:
        """P = w z, [B, D]."""
        return self.w * z

    @property
    def matrix(self) -> Tensor:
        """W = diag(κ^i), [D, D]."""
        return self.w.diag()


def build(config: Config, dim: int, total: Total) -> Predictor:
    """A re-weighting of [B, dim]."""
    return Reweighting(dim, kappa=config.kappa)
