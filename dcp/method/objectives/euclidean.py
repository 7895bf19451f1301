"""Euclidean: |p - t|² for each direction, the loss of the linear theory (Tian, Chen, Ganguli 2021).

    L = |p₁ - t₂|² + |p₂ - t₁|²

`use_l2_normalization = false` of the official release of arXiv:2102.06810; the theory has ½ in front (`scale = 0.5`).

Look at: `norm`. With a predictor that is divided by a norm of F it collapses: the top mode has weight 1 + ε and shrinks
until another one is on top. Use `predictor.norm = "none"`.
Held to: a float64 computation from the formula to 1e-10, loss and gradient; the linear theory's gradient.
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
