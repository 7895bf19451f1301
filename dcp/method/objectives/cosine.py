"""Cosine: -2 cos(p, t) a direction, so that the symmetric loss lies in [-4, 4].

BYOL prints 2 - 2 cos (Grill et al. 2020, eq. 2), which is the same plus a constant; the official DirectPred release
and the numbers of Tian, Chen, Ganguli 2021 use this form. The scale of p and t does not matter.
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
