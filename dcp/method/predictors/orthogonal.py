"""Orthogonal: a linear predictor learnt by gradient that stays orthogonal, p = W z with WᵀW = I.

V_kD (Miles, Elezi, Deng 2024) projects a student's features so before it compares them with a teacher's. W is
parametrised as Q exp(A) with A skew-symmetric, by torch.nn.utils.parametrizations as in its release, and starts as the
orthogonal factor of an ordinary linear layer. Weight decay acts on A, so it pulls W back to where it began, Q.
"""

from typing import Literal

from torch import Tensor, nn
from torch.nn.utils.parametrizations import orthogonal

from dcp.method.moments import Total
from dcp.method.predictors.base import LearntConfig, Predictor


class Config(LearntConfig):
    """Keys of the orthogonal predictor that is learnt."""

    name: Literal["orthogonal"] = "orthogonal"


class Orthogonal(Predictor):
    """Final: one orthogonal matrix.

    Args:
        dim: D, of input and output.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layer = orthogonal(nn.Linear(dim, dim, bias=False))

    def forward(self, z: Tensor) -> Tensor:
        """P = W z, [B, D], as long as z."""
        return self.layer(z)  # type: ignore[no-any-return]

    @property
    def matrix(self) -> Tensor:
        """W [D, D]."""
        return self.layer.weight  # type: ignore[return-value]


def build(config: Config, dim: int, total: Total) -> Predictor:
    """An orthogonal predictor of [B, dim]."""
    return Orthogonal(dim)
