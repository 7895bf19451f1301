"""IsoLoss, euclidean form (Halvagal, Laborieux, Zenke 2023): |z - sg(z + t - p)|².

Its gradient in z is that of the euclidean objective in p: the factor Wᵀ, by which every eigenmode learns at its own
    speed, is gone.
"""

from typing import ClassVar, Literal

from torch import Tensor

from dcp.method.objectives.base import IsoConfig


class Config(IsoConfig):
    """Keys of the euclidean IsoLoss."""

    squared: ClassVar[bool] = True

    name: Literal["iso_euclidean"] = "iso_euclidean"


def loss(p: Tensor, z: Tensor, t: Tensor) -> Tensor:
    """|z - sg(z + t - p)|², [B], each >= 0."""
    return (z - (z + t - p).detach()).square().sum(-1)
