"""Diagnostics: numbers that say how a representation fares, of one batch and of the matrices behind it.

    u = z / |z|                         projections of all views on the unit sphere
    spread         = √(E|u - E u|²)     0 when all images get the same direction, 1 when directions cancel out
    effective_rank = (Σs)² / Σs²        of the eigenvalues s of the covariance of u: how many dimensions vary
    invariance     = E|uᵢ - uⱼ|² / (2 spread²)     over pairs of views: 0 when the views of an image coincide, 1 when
                                        they are as far apart as views of different images
    norm           = √(E|z|²)
    dead           = share of the D dimensions of z whose deviation is at most a thousandth of the largest one

Chen, He 2021 (figure 2) plot mean_d std(u_d) for the spread, which depends on the basis: projections ±e₁ have 1/D
there and their rotations 1/√D. Here spread² = 1 - |E u|², and the first three are the same in every basis.

Shapes: V views, B images in the batch, D projection size.

Those of a batch stand in every line of metrics.jsonl. Some twenty times a training a line of kind "spectrum" has what
is too costly to look at in every step: the eigenvalues of F and W, whether W has F's eigenvectors, whether F keeps up
with the projections, how far a step moves the weights, how far the target is behind.
"""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn

from dcp.data.sampler import Plan
from dcp.method import moments, spectra
from dcp.method.algorithm import Method, Outputs

COUNT = 20  # of spectra in a whole training, with the first and the last step
APART = 10  # steps at least: an eigen-decomposition can cost as much as a step
DEAD = 1e-3  # of the largest deviation of a dimension


def health(z: Tensor) -> dict[str, Tensor]:
    """The vital signs of projections z [V, B, D], as scalars on their device; no eigen-decomposition."""
    z = z.float()
    u = z / z.norm(dim=2, keepdim=True).clamp_min(1e-12)
    centred = (u - u.mean((0, 1))).flatten(0, 1)
    covariance = centred.T @ centred / len(centred)
    variance = covariance.trace().clamp_min(0)
    apart = [(a - b).square().sum(1).mean() for a, b in combinations(u, 2)]
    std = z.flatten(0, 1).std(0, correction=0)
    return {
        "spread": variance.sqrt(),
        "effective_rank": spectra.effective_rank(covariance),
        "invariance": spectra.divided(sum(apart[1:], apart[0]) / len(apart), 2 * variance),
        "norm": z.square().sum(2).mean().sqrt(),
        "dead": (std <= DEAD * std.max()).float().mean(),
    }


def of_matrices(F: Tensor, W: Tensor | None) -> dict[str, Tensor]:
    """Eigenvalues of F [D, D] and of (W + Wᵀ)/2, falling; and whether W has F's eigenvectors.

    `alignment` is ‖diag(UᵀWU)‖ / ‖W‖_F with F's eigenvectors U, `commutator` ‖FW - WF‖_F / (2‖F‖_F‖W‖_F).
    """
    if F.device.type == "mps":  # has no eigen-decomposition
        F, W = F.cpu(), None if W is None else W.cpu()
    s, U = spectra.eigh(F)
    if W is None:
        return {"F": s.flip(0)}
    kept = (U * (W @ U)).sum(0).norm()
    return {
        "F": s.flip(0),
        "W": torch.linalg.eigvalsh(spectra.checked(W)).flip(0),
        "alignment": spectra.divided(kept, W.norm()),
        "commutator": spectra.commutator(F, W),
    }


def lag(F: Tensor, z: Tensor, total: Callable[[Tensor], Tensor] = moments.own) -> Tensor:
    """How much less F looks like this batch than one half of the batch looks like the other; > 0 if F is behind.

    With C, C' the second moments of two halves of the images and ⟨·,·⟩ the cosine between matrices, it is
    ⟨C, C'⟩ - (⟨F, C⟩ + ⟨F, C'⟩)/2. A fresh F has averaged noise away and resembles each half at least as well.

    Args:
        F: [D, D].
        z: [V, B, D] of at least two images.
        total: adds a tensor up over processes.
    """
    halves = [moments.batch_moments(half.flatten(0, 1), total)[0] for half in z.tensor_split(2, dim=1)]
    here, there = halves
    return _cosine(here, there) - (_cosine(F, here) + _cosine(F, there)) / 2


def _cosine(A: Tensor, B: Tensor) -> Tensor:
    return spectra.divided((A * B).sum(), A.norm() * B.norm())


def size(parameters: Sequence[Tensor]) -> Tensor:
    """√Σθ² over all entries of all parameters."""
    whole: Tensor = torch.stack(torch._foreach_norm(list(parameters))).norm()
    return whole


def change(parameters: Sequence[Tensor], before: Sequence[Tensor]) -> Tensor:
    """‖θ - θ'‖ / ‖θ'‖."""
    return spectra.divided(size(torch._foreach_sub(list(parameters), list(before))), size(before))


def weights(module: nn.Module) -> list[Tensor]:
    """The trained parameters of a module, without their graph."""
    return [p.detach() for p in module.parameters()]


class Diagnostics:
    """Looks closely at a method: at the first step, at the last, and evenly between them.

    Args:
        plan: of the training; when it is time is a function of the step alone.
        method: what is examined.
        numbers: what the objective has to show besides, scalars by name.
    """

    def __init__(self, plan: Plan, method: Method, numbers: Callable[[], dict[str, Tensor]] = dict) -> None:
        self.plan, self.method, self.numbers = plan, method, numbers
        self.before: list[Tensor] = []

    def due(self, step: int) -> bool:
        """Whether this step is examined; a remainder of a batch is too small, the step before it takes its turn."""
        if self.plan.is_remainder(step):
            return False
        return self._turn(step) or (self.plan.is_remainder(step + 1) and self._turn(step + 1))

    def _turn(self, step: int) -> bool:
        every = max(APART, -(-self.plan.steps // COUNT))
        return step == 0 or (step + 1) % every == 0 or step + 1 == self.plan.steps

    def begin(self, step: int) -> None:
        """Remember the weights before a step that is examined."""
        if self.due(step):
            self.before = [p.clone() for p in weights(self.method.online)]

    def end(self, outputs: Outputs) -> dict[str, Any]:
        """What a step shows, after all of its updates; called by all processes. Asks the device."""
        method, now = self.method, weights(self.method.online)
        matrix = method.predictor.matrix
        values = health(outputs.z)
        values |= of_matrices(method.moments.F, None if matrix is None else matrix.detach())
        values["lag"] = lag(method.moments.F, outputs.z, method.moments.total)
        values["weight_norm"], values["update"] = size(now), change(now, self.before)
        followers = weights(method.target)
        if [p.shape for p in followers] == [p.shape for p in now]:  # not a teacher that is another network
            values["target_distance"] = change(followers, now)
        values |= self.numbers()
        self.before = []
        return {name: _plain(value) for name, value in values.items()}


def _plain(value: Tensor) -> float | list[float]:
    """Numbers with the six digits that float32 has, so that a line of thousands stays short."""
    rounded = [float(f"{number:.6g}") for number in value.flatten().tolist()]
    return rounded if value.ndim else rounded[0]
