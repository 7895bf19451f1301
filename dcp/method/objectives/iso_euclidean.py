"""IsoLoss, euclidean form: all eigenmodes learn at the same pace (Halvagal, Laborieux, Zenke 2023).

    L = |z - sg(z + t - p)|²        in each direction

Its gradient in z is that of the euclidean objective in p: the factor Wᵀ, by which every eigenmode learns at its own
speed, is gone. W must be symmetric and positive, as for `iso_cosine`.

Look at: the spectrum of F. With `predictor.norm = "none"`, as `euclidean`.
Held to: a float64 computation from the formula to 1e-10, value and gradient; `straight_through`.
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
