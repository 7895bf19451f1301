"""MINC: the spectral contrastive loss without pairs, full or triangular (Guo et al. 2025, arXiv:2504.16667).

    L = -4 φ·sg(φ') + 2 φᵀ sg(Λ) φ        Λ the moving average F of E[φ φᵀ] over the steps before, φ = z

From max 2 E[φ·φ'] - tr(C²), C = E[φ φᵀ], whose gradient in φ(x) is 4(φ(x') - C φ(x)): `spectral_contrastive`. With
`form = "lower"` the gradient has the lower triangle of Λ for Λ, as in the generalised Hebbian algorithm (Sanger 1989):
the first dimension learns the first eigenfunction, the next one what is left. No value has that gradient; the one shown
is φᵀ tril(Λ) φ. At the first step F is zero: no push. F is the predictor here, and any but `identity` is refused.

Unverified: the paper's body could not be read. The objective is taken from a summary of it, and the update is derived
here; whether the paper has this form, these rates (`moments.rho`, `target.tau`) and these settings is open.
Look at: `norm`: nothing is normalised, so a learning rate that is too high lets the projections grow. With
`form = "lower"` use `optimizer.momentum = 0`: with 0.9, training diverged at a tenth of the learning rate.
Held to: a float64 computation from the formula to 1e-10; `iso_euclidean` with W = F, F times it `directcopy`'s loss.
"""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor

from dcp.method.objectives.base import ObjectiveConfig, Setting


class Config(ObjectiveConfig):
    """Keys of MINC."""

    keeps_apart: ClassVar[bool] = True

    name: Literal["minc"] = "minc"
    form: Literal["full", "lower"] = Field("full", description="Λ, or its lower triangle, which orders the dimensions")

    def clashes(self, recipe: Any) -> Iterator[tuple[str, str]]:
        """A predictor beside the one that Λ is; F of this batch; a target that takes gradient."""
        if not recipe.predictor.identity:
            yield (
                f'objective.name = "minc" has F as its predictor, and predictor.name = "{recipe.predictor.name}" '
                "would have no part in it",
                'take predictor.name = "identity", or objective.name = "iso_euclidean" for another W',
            )
        if recipe.moments.timing == "immediate":
            yield 'objective.name = "minc" takes the F of the steps before', 'moments.timing = "stale"'
        if recipe.target.gradient:
            yield (
                'objective.name = "minc" stops the gradient itself, '
                f'and target.name = "{recipe.target.name}" lets it through',
                'take target.name = "ema" or "online"',
            )


def loss_in(setting: Setting, config: Config, p: Tensor, z: Tensor, t: Tensor) -> Tensor:
    """Half of L; [B]."""
    F = setting.moments.F.to(z.dtype)
    weight = F.tril() if config.form == "lower" else F
    push = (z * (z @ weight.T).detach()).sum(-1)
    pull: Tensor = (z * t.detach()).sum(-1)
    # value φᵀ Λ φ and gradient 2 Λ φ, which for a triangle no quadratic form has
    return 2 * push - push.detach() - 2 * pull
