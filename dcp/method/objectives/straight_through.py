"""Straight-through: the standard loss of p with its gradient handed to z past the predictor.

    p̃ = z + sg(p - z)        L = ℓ(p̃, t), ℓ the cosine or the euclidean objective

Value and gradient in p̃ are the standard ones, and the gradient in z is that in p̃: that of IsoLoss (Halvagal,
Laborieux, Zenke 2023), which needs a symmetric W for it where this takes any predictor that is set, and has no such
value. A predictor that learns would get no gradient.
"""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field
from torch import Tensor

from dcp.method.objectives import cosine, euclidean
from dcp.method.objectives.base import Loss, ObjectiveConfig, Setting

FORMS = {"cosine": cosine.loss, "euclidean": euclidean.loss}


class Config(ObjectiveConfig):
    """Keys of the straight-through objective."""

    name: Literal["straight_through"] = "straight_through"
    form: Literal["cosine", "euclidean"] = Field("cosine", description="ℓ, the loss of the prediction")

    def facts(self) -> dict[str, bool]:
        """Those of every objective; which gradient it has is a matter of `form`."""
        return {**super().facts(), "squared": self.form == "euclidean"}

    def clashes(self, recipe: Any) -> Iterator[tuple[str, str]]:
        """A predictor that the optimizer steps on, always or in between."""
        if recipe.predictor.learns:
            yield (
                f'objective.name = "straight_through" gives a predictor no gradient, '
                f'and predictor.name = "{recipe.predictor.name}" would learn by it',
                "take a predictor that is set at every step (directcopy, directpred, directset), "
                f'or objective.name = "{self.form}"',
            )


def through(p: Tensor, z: Tensor) -> Tensor:
    """A tensor with the value of p and the gradient of z, both [B, D]."""
    return z + (p - z).detach()


def build(config: Config, setting: Setting) -> Loss:
    """The loss (p, z, t) -> [B]."""
    form = FORMS[config.form]

    def loss(p: Tensor, z: Tensor, t: Tensor) -> Tensor:
        return form(through(p, z), z, t)

    return loss
