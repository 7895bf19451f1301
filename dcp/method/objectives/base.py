"""What an objective is: one loss a sample from predictions, projections and target projections.

    loss(p [B, D], z [B, D], t [B, D]) -> [B]

p is the prediction made of the online projection z of one view, t the target's projection of another view. Whether
a gradient flows through t is the target's business, and few let one through. It is called for every ordered pair of
views, and 2/N of the sum over the N pairs is the loss: with two views both directions are added, so an objective of a
pair of views gives half of what it is published as. A local view is no target, so a term that an objective has of each
of its two views counts less often for local views than for global ones.

A variant is a file in `objectives/` with a `Config` and that function; or, where it needs more than these three
tensors, with `loss_in(setting, config, p, z, t)`; or, where it is no sum over pairs of views, with
`loss_of_views(setting, config, p [V, B, D], z [V, B, D], t [G, B, D]) -> [B]`, which is called once and is what is
published. Of V views G are global, the first ones; t is the target's projection of those. One that has numbers of its
own to show, of F and C alone, has `numbers(config, moments)` too: scalars by name, for the lines of kind "spectrum".
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as fn

from dcp.catalogue import VariantConfig
from dcp.method.moments import Moments
from dcp.method.predictors.base import Predictor

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
Gather = Callable[[Tensor], tuple[Tensor, int]]


@dataclass(frozen=True)
class LossOfViews:
    """A loss of all views at once: p [V, B, D], z [V, B, D], t [G, B, D] -> [B]; and whether the host waits in it."""

    loss: Loss
    waits: bool = False

    def __call__(self, p: Tensor, z: Tensor, t: Tensor) -> Tensor:
        """The loss of each image."""
        return self.loss(p, z, t)


class ObjectiveConfig(VariantConfig):
    """Keys of every objective, and what it says of itself."""

    keeps_apart: ClassVar[bool] = False  # it keeps images apart by itself, so that neither predictor nor target has to
    squared: ClassVar[bool] = False  # it is the squared distance, or has its gradient in z
    aligns: ClassVar[bool] = False  # under it a learnt W takes on F's eigenvectors, by theory or expectation
    needs_cross: ClassVar[bool] = False  # it needs C = E[t zᵀ] too, which is kept only then

    scale: float = Field(1.0, gt=0, description="factor on the loss; SimSiam's loss is cosine with scale 0.25")


class IsoConfig(ObjectiveConfig):
    """Keys of both forms of IsoLoss, which derive from a symmetric W and stop the gradient themselves."""

    def clashes(self, recipe: Any) -> Iterator[tuple[str, str]]:
        """A predictor without a symmetric W, or one that learns in between; a target that takes gradient."""
        mine, predictor = f'objective.name = "{recipe.objective.name}"', recipe.predictor
        if not predictor.symmetric:
            yield (
                f'{mine} needs a symmetric W; predictor.name = "{predictor.name}" has none',
                "take a predictor that is set from F (directcopy, directpred, directset), or cosine",
            )
        elif predictor.learns:
            yield (
                f"{mine} gives W no useful gradient, and predictor.every = {predictor.every} has it learn in between",
                'predictor.every = 1, or objective.name = "cosine"',
            )
        if recipe.target.gradient:
            yield (
                f'{mine} stops the gradient itself, and target.name = "{recipe.target.name}" lets it through',
                'take target.name = "online", or objective.name = "cosine"',
            )


class PairConfig(ObjectiveConfig):
    """Keys of objectives that keep images apart themselves, and so want the gradient through both views."""

    keeps_apart: ClassVar[bool] = True

    def clashes(self, recipe: Any) -> Iterator[tuple[str, str]]:
        """A target that stops the gradient."""
        if not recipe.target.gradient:
            yield (
                f'objective.name = "{recipe.objective.name}" is a loss of both views alike, '
                f'and target.name = "{recipe.target.name}" gives one of them no gradient',
                'take target.name = "shared"',
            )


class ViewsConfig(ObjectiveConfig):
    """Keys of losses of all views at once. One that is a `PairConfig` too has that as its second base."""

    waits: ClassVar[bool] = False  # it makes the host wait for a GPU, as decompositions do: no CUDA graph can hold it

    def clashes(self, recipe: Any) -> Iterator[tuple[str, str]]:
        """Positives, which say what a view predicts: here no view predicts another."""
        yield from super().clashes(recipe)
        if recipe.positives.partial or recipe.positives.averages:
            yield (
                f'objective.name = "{recipe.objective.name}" is a loss of all views at once, '
                f'in which positives.name = "{recipe.positives.name}" would have no part',
                'take positives.name = "none", or objective.name = "cosine"',
            )


class Setting(NamedTuple):
    """What stands around an objective; read when the loss is computed, so it is the present state."""

    predictor: Predictor  # whose matrix a penalty may need, with gradient
    moments: Moments  # F up to the step before
    gather: Gather  # [B, D] -> rows of all processes [N, D] with gradient, and where this process's begin


def alone(x: Tensor) -> tuple[Tensor, int]:
    """The rows of all processes when there is one."""
    return x, 0


def standardised(x: Tensor) -> Tensor:
    """Batch norm without weights: x [N, D] with mean 0 and variance 1 over its rows (divisor N, 1e-5 added)."""
    return fn.batch_norm(x, None, None, training=True)


def others(t: Sequence[Tensor], i: int) -> list[Tensor]:
    """The targets of all views but view i."""
    return [t_j for j, t_j in enumerate(t) if j != i]


def mean(t: Sequence[Tensor]) -> Tensor:
    """The mean of a few targets."""
    return t[0] if len(t) == 1 else torch.stack(list(t)).mean(0)


def mean_of_others(t: Sequence[Tensor], views: int) -> Tensor:
    """What each of V views predicts on average, [V, B, D]: the mean of the targets t of all views but itself."""
    return torch.stack([mean(others(t, i)) for i in range(views)])
