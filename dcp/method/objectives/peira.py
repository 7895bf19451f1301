"""PEIRA: views agree by the trace of their best linear predictor (Arbel, Terver, Ponce 2026, arXiv:2605.17671).

    E = -½ tr P + λ/2 E[|u|² + |v|²]        Σ = E[v uᵀ + u vᵀ], N = E[u uᵀ + v vᵀ], Q = (N + λI)⁻¹, P = Σ Q
    L = ½ E[uᵀ Q (P u - v) + vᵀ Q (P v - u)] + λ/2 E[|u|² + |v|²]        P and Q held fixed: the gradient is that of E

u and v are the projections of the views, and both learn. Σ = C + Cᵀ and N = 2F, this batch included, which is what
`moments.timing = "immediate"` says; the paper's weight η of the new batch is 1 - `moments.rho`. L is 0 at a stable
optimum, so E, from F and C, stands as `energy` in the lines of kind "spectrum". P is the predictor: any but `identity`
is refused. Q z comes from a Cholesky factor. O(N D² + D³).

Source: equations 5 and 6, Algorithm 1, and settings, as notes by others on the arXiv source report them.
Unverified: the paper could not be read. It is said to leave open how Σ and N start (`moments.start`), how η falls
(`moments.rho_schedule`), what LARS leaves out, and which norm is clipped; no code has been released. Whether a CUDA
graph can hold the factorisation: if not, steps are launched one by one.
Differs: more than two views are ours: Σ and N from the means over all pairs and all views, twice each.
Look at: `energy`, which falls, and `effective_rank`: λ decides how many dimensions are worth their length.
Published: CIFAR-10, ResNet-18, 1,000 epochs, three seeds: linear 90.97 ± 0.10 (VICReg 90.92, SIGReg 92.34).
Held to: a float64 computation from the formula to 1e-10, loss and gradient; the derivative of E; the fixed point of a
linear encoder in closed form; two processes to 1e-9.
"""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from dcp.method.moments import Moments, full
from dcp.method.objectives.base import PairConfig, Setting, ViewsConfig, mean_of_others


class Config(ViewsConfig, PairConfig):
    """Keys of PEIRA."""

    needs_cross: ClassVar[bool] = True

    name: Literal["peira"] = "peira"
    ridge: float = Field(0.7, gt=0, description="λ, added to every eigenvalue of N, and weight of the squared lengths")

    def clashes(self, recipe: Any) -> Iterator[tuple[str, str]]:
        """A predictor beside P; an F and a C that are not those of the formula."""
        yield from super().clashes(recipe)
        mine, moments = 'objective.name = "peira"', recipe.moments
        if not recipe.predictor.identity:
            yield (
                f"{mine} has a predictor of its own, made of F and C, "
                f'and predictor.name = "{recipe.predictor.name}" would have no part in it',
                'take predictor.name = "identity", or predictor.name = "regression" with objective.name = "cosine"',
            )
        if moments.timing == "stale":
            yield f"{mine} takes F and C with this batch in them", 'moments.timing = "immediate"'
        if moments.source == "sequential":
            yield f"{mine} takes F and C of all views at once", 'moments.source = "pooled"'
        if moments.zero_mean:
            yield f"{mine} takes an F that is not centred", "moments.zero_mean = false"


def factor(F: Tensor, ridge: float) -> Tensor:
    """The Cholesky factor [D, D] of N + λI; NaN where rounding leaves it none. Never asks the device.

    >>> factor(torch.tensor([[2.5]]), 4.0)
    tensor([[3.]])
    """
    lower, info = torch.linalg.cholesky_ex(2 * F + ridge * torch.eye(len(F), dtype=F.dtype, device=F.device))
    checked: Tensor = lower.where(info == 0, torch.nan)
    return checked


def energy(F: Tensor, C: Tensor, ridge: float) -> Tensor:
    """E, [], from F and C [D, D]."""
    return ridge * F.trace() - torch.cholesky_solve(C + C.T, factor(F, ridge)).trace() / 2


def numbers(config: Config, moments: Moments) -> dict[str, Tensor]:
    """E of the present F and C."""
    return {"energy": energy(moments.second, moments.cross, config.ridge)}


def loss_of_views(setting: Setting, config: Config, p: Tensor, z: Tensor, t: Tensor) -> Tensor:
    """L of each image, [B]: of V views the mean of zᵀ Q (P z - t) + λ |z|², t the mean of what a view predicts."""
    moments, dtype, z = setting.moments, z.dtype, full(z)
    predicted = full(mean_of_others(t.unbind(), len(z)))
    now = moments.blend(moments.now, z.flatten(0, 1), predicted.flatten(0, 1))
    Qz = torch.cholesky_solve(z.flatten(0, 1).T, factor(now.second, config.ridge)).T.view_as(z)
    Pz = Qz @ (now.cross + now.cross.T)
    losses: Tensor = (Qz * (Pz - predicted)).sum(-1) + config.ridge * z.square().sum(-1)
    return losses.mean(0).to(dtype)
