"""Straight-through: IsoLoss, by passing the gradient to z past the predictor (Halvagal, Laborieux, Zenke 2023).

    p̃ = z + sg(p - z)        L = ℓ(p̃, t), ℓ the cosine or the euclidean objective

Value and gradient in p̃ are the standard ones, so `loss` can be compared with other runs; the gradient in z is that in
p̃: that of IsoLoss. A predictor that is trained, always or between two settings, would get no gradient, and is refused.

Differs: `iso_cosine` and `iso_euclidean` need a symmetric W, and their value is not comparable.
Look at: the spectrum of F, as for the IsoLoss.
Held to: both IsoLosses as printed, gradient to 1e-10; the standard losses, value to 1e-10.
"""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field
from torch import Tensor

from dcp.method.objectives import cosine, euclidean
from dcp.method.objectives.base import ObjectiveConfig, Setting

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


def loss_in(setting: Setting, config: Config, p: Tensor, z: Tensor, t: Tensor) -> Tensor:
    """ℓ of p̃, [B]."""
    return FORMS[config.form](z + (p - z).detach(), z, t)
