"""Euclidean: the squared distance |p - t|² a direction, `use_l2_normalization = false` of the official release.

It is the loss of the papers' linear theory, with ½ in front there (scale = 0.5). Beware: with a predictor that is
normalised by F (`norm = "spectral"`) it collapses, because the top mode has weight 1 + ε and shrinks; use `norm =
"none"` with it.
"""

from typing import ClassVar, Literal

from torch import Tensor

from dcp.method.objectives.base import ObjectiveConfig


class Config(ObjectiveConfig):
    """Keys of the euclidean objective."""

    squared: ClassVar[bool] = True
    aligns: ClassVar[bool] = True

    name: Literal["euclidean"] = "euclidean"


def loss(p: Tensor, z: Tensor, t: Tensor) -> Tensor:
    """|p - t|², [B], each >= 0."""
    return (p - t).square().sum(-1)
