"""Orthogonal: a linear predictor learnt by gradient that stays orthogonal (V_kD: Miles, Elezi, Deng 2024).

    p = W z,  W = Q exp(A),  A = -Aᵀ learnt,  Q fixed

V_kD projects a student's features so before it compares them with a teacher's. The parametrisation is that of
torch.nn.utils.parametrizations, as in its release; Q is the orthogonal factor of an ordinary linear layer. Weight decay
acts on A, so it pulls W back to where it began; the recipe has 0. `procrustes` is the same family set instead of
learnt. It takes one matrix exponential a forward pass, two a step.

Differs: V_kD distils: its teacher is fixed, its features are standardised by a layer norm, its loss is smooth L1. Here
it is a predictor among others, with any target and objective.
Look at: `alignment` in the "spectrum" lines of `metrics.jsonl`. W is not in the checkpoint as one matrix, so the
spectrum probe has no eigenvalues of it.
Held to: WᵀW = I before and after steps of SGD, lengths that W keeps.
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
