"""Re-weighting: a fixed factor for each unit, p_i = κ^i z_i with i = 0, 1, ..., D-1 and 0 < κ < 1.

After Xue et al. 2024, who propose a fixed element-wise re-weighting instead of a learned projector: deeper layers
weight features ever more unequally. Only their abstract was at hand: the form κ^i and the value of κ are unverified.
And it stands elsewhere here: on the online side alone, as a predictor. Nothing in it is learnt or set.
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
    kappa: float = Field(0.95, gt=0, lt=1, description="κ, weight of each unit over that of the unit before it")


class Reweighting(Predictor):
    """Final: a fixed diagonal matrix.

    Args:
        dim: D.
        kappa: κ in (0, 1).
    """

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
