"""What positives are: besides the other views of an image, or in their place, which projections it is to predict.

    extra = positives(t [B, D], y [B])       t the target's projection of the other view, y classes, -1 where unknown
    loss  = extra.own ℓ(p, z, t) + extra.other ℓ(p, z, extra.t)

`none`, the default, and `fastsiam` need no labels; the others see the labels of a part of the images. A variant is a
file in `positives/` with a `Config` and `build(config, dim, gather) -> Positives`.

Shapes: B images in the batch, N images of all processes, D projection size.
"""

from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

from pydantic import Field
from torch import Tensor, nn

from dcp.catalogue import VariantConfig


class PositivesConfig(VariantConfig):
    """Keys of all positives, which are none; and what they say of themselves."""

    partial: ClassVar[bool] = False  # only a part of the images has more to predict than the other view
    averages: ClassVar[bool] = False  # a view predicts the mean of the other views' targets


class LabelledConfig(PositivesConfig):
    """Keys of positives that are found by labels."""

    partial: ClassVar[bool] = True

    labelled: float = Field(0.1, gt=0, le=1, description="fraction of the labels used, in each class")
    queue: int = Field(4096, ge=1, le=2**20, description="number of labelled target projections kept")

    def clashes(self, recipe: Any) -> Iterator[tuple[str, str]]:
        """A target that takes gradient, which remembered projections cannot have."""
        if recipe.target.gradient:
            yield (
                f'positives.name = "{recipe.positives.name}" predicts remembered projections, which take no gradient, '
                f'and target.name = "{recipe.target.name}" wants one',
                'take target.name = "online" or "ema"',
            )


class Extra(NamedTuple):
    """What else is predicted, and how much of each."""

    t: Tensor  # [B, D] without gradient
    own: Tensor  # [B] weight of the loss towards the other view
    other: Tensor  # [B] weight of the loss towards t; 0 where there is none


class Positives(nn.Module):
    """Abstract; it is called only where training sees labels.

    Attributes:
        average: whether a view predicts the mean of the other views' targets, in place of each of them.
    """

    average: bool = False

    def forward(self, t: Tensor, y: Tensor) -> Extra:
        """What the images with the targets t [B, D] and the classes y [B] predict besides them."""
        raise NotImplementedError  # abstract: every file in positives/ has its own

    def update(self, t: Tensor, y: Tensor) -> None:
        """Remember the targets t [B, D] with the classes y [B], after the optimizer's step."""
