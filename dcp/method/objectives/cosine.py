"""Cosine: -2 cos(p, t) for each direction, as in BYOL (Grill et al. 2020) and SimSiam (Chen, He 2021).

    L = -2 cos(p₁, t₂) - 2 cos(p₂, t₁)        in [-4, 4]

BYOL prints 2 - 2 cos (eq. 2), which is the same plus a constant; the official DirectPred release and the numbers of
Tian, Chen, Ganguli 2021 (arXiv:2102.06810) use this form. SimSiam's is a quarter of it: `scale = 0.25`. The length
of p and t does not matter, and the gradient is orthogonal to p.

Look at: `loss`: -4 is perfect agreement, which a collapsed network reaches, too.
Held to: a float64 computation from the formula to 1e-10, loss and gradient; lightly's `NegativeCosineSimilarity`.
"""

from typing import ClassVar, Literal

from torch import Tensor
from torch.nn import functional as fn

from dcp.method.objectives.base import ObjectiveConfig


class Config(ObjectiveConfig):
    """Keys of the cosine objective."""

    aligns: ClassVar[bool] = True

    name: Literal["cosine"] = "cosine"


def loss(p: Tensor, z: Tensor, t: Tensor) -> Tensor:
    """-2 cos(p, t), [B], each in [-2, 2]."""
    return -2 * fn.cosine_similarity(p, t, dim=-1)
