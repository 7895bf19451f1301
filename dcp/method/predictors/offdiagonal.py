"""Off-diagonal: a linear predictor whose diagonal is fixed at 1, followed by batch norm (Wen, Li 2022).

    p = BN(E z),  E_jj = 1,  E_ij (i ≠ j) learnt from 0

Batch norm has no weights. A unit keeps its own signal and may only borrow from others. E lends strong features to units
that have not learned them, which speeds those up ("substitution"), and then returns to the identity. Without the head,
batch norm alone leaves all units with the strong feature.

Source: The Mechanism of Prediction Head in Non-contrastive Learning, known from detailed notes.
Differs: their loss is the batch mean of |BN(E z) - sg BN(t)|²; `network.projector.out_norm = true` with
`objective.name = "euclidean"` is that, except that E then reads z after a batch norm instead of before. They train E,
64 x 64, by Adam at 0.003; ours is the other recipes' training with `lr_factor = 0.1`, a guess.
Look at: the effective rank, next to that of a run with `identity`. Because of its batch norm this predictor is not a
matrix, and has no eigenvalues.
Held to: a diagonal that nothing moves, batch norm at the start, the loss as correlations.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from dcp.method.moments import Total
from dcp.method.predictors.base import LearntConfig, Predictor


class Config(LearntConfig):
    """Keys of the off-diagonal predictor; the paper's learns more slowly than the encoder (`lr_factor` below 1)."""

    name: Literal["offdiagonal"] = "offdiagonal"


class Offdiagonal(Predictor):
    """Final: the matrix E [D, D] and batch norm."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.between = nn.Parameter(torch.zeros(dim, dim))
        self.norm = nn.BatchNorm1d(dim, affine=False)

    @property
    def E(self) -> Tensor:
        """E [D, D]; what lies on the diagonal of the parameter has no effect and no gradient."""
        eye = torch.eye(len(self.between), dtype=self.between.dtype, device=self.between.device)
        return eye + (1 - eye) * self.between

    def forward(self, z: Tensor) -> Tensor:
        """P = BN(E z), [B, D]."""
        return self.norm(z @ self.E.T)  # type: ignore[no-any-return]


def build(config: Config, dim: int, total: Total) -> Predictor:
    """An off-diagonal predictor of [B, dim]."""
    return Offdiagonal(dim)
