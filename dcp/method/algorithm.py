"""The method: BYOL, SimSiam, DirectPred and DirectCopy are one algorithm with different parts.

    z₁, z₂ = online(x₁), online(x₂)             p₁, p₂ = W z₁, W z₂             t₁, t₂ = sg target(x₁), sg target(x₂)
    loss   = ℓ(p₁, t₂) + ℓ(p₂, t₁)
    after the optimizer step:   1. F from z₁, z₂      2. W from F      3. the target from the online branch

Where training sees labels, `positives` adds terms to the loss and remembers targets last of all.

This is the order of the official release: W is one step old when it is used, and nothing but batch-norm statistics
changes in `forward`. With `timing = "immediate"` (Wang, Chen, Du, Tian 2021 can be read so, and the IsoLoss release
does it) the forward pass uses the W that F of this very batch gives; it still becomes the present only in `after_step`.

Shapes: B images in the batch, D projection size.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from dcp.method.moments import Moments, Statistics
from dcp.method.networks import Branch
from dcp.method.objectives.base import Loss
from dcp.method.positives.base import Extra, Positives
from dcp.method.predictors.base import Predictor
from dcp.method.targets.base import Target


class Step(NamedTuple):
    """What one step knows, for the loss and for the updates after it."""

    losses: Tensor  # [B] one symmetric loss an image
    z: Tensor  # [2, B, D] online projections of both views, detached
    h: Tensor  # [B, features] of the first view, before the projector, detached
    t: Tensor | None  # [2, B, D] what z[0] and z[1] predict, detached; None where nothing needs it
    y: Tensor | None = None  # [B] classes as far as training sees them, -1 elsewhere


class Method(nn.Module):
    """One step of non-contrastive learning, and the updates without gradient that follow it.

    Args:
        online: the branch that learns, [B, 3, H, W] -> [B, D].
        predictor: [B, D] -> [B, D].
        target: makes t.
        moments: keeps F.
        objective: ℓ(p, z, t) -> [B].
        positives: what is predicted besides the other view, where training sees labels.
        timing: "stale" or "immediate", which W the forward pass uses.
        source: "pooled" (one update of F from both views) or "sequential" (one a view).
        join_views: both views in one forward pass, which mixes their batch statistics; faster, not what the papers did.
        amp: dtype of the networks' arithmetic, or None for that of their weights. Everything after z is float32.
    """

    def __init__(
        self,
        online: Branch,
        predictor: Predictor,
        target: Target,
        moments: Moments,
        objective: Loss,
        *,
        positives: Positives | None = None,
        timing: Literal["stale", "immediate"] = "stale",
        source: Literal["pooled", "sequential"] = "pooled",
        join_views: bool = False,
        amp: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.online, self.predictor, self.target, self.moments = online, predictor, target, moments
        self.objective, self.timing, self.source = objective, timing, source
        self.positives = positives or Positives()
        self.join_views, self.amp = join_views, amp

    def forward(self, x1: Tensor, x2: Tensor, y: Tensor | None = None) -> Step:
        """Losses of two views [B, 3, H, W] of the same images; changes nothing but batch-norm statistics.

        y [B] are classes, -1 where unknown, for positives that need labels.
        """
        h, z1, z2 = self._project(x1, x2)
        t1, t2 = self._targets(x1, x2, z1, z2)
        t = torch.stack([t2, t1]).detach() if self.moments.keeps_cross or y is not None else None
        p1, p2 = self._predict(z1, z2, t)
        losses = self._loss(p1, z1, t2, y) + self._loss(p2, z2, t1, y)
        return Step(losses, torch.stack([z1, z2]).detach(), h.detach(), t, y)

    def _loss(self, p: Tensor, z: Tensor, t: Tensor, y: Tensor | None) -> Tensor:
        loss = self.objective(p, z, t)
        if y is None:
            return loss
        extra: Extra = self.positives(t, y)
        return extra.own * loss + extra.other * self.objective(p, z, extra.t)

    def _arithmetic(self, x: Tensor) -> torch.autocast:
        return torch.autocast(x.device.type, dtype=self.amp or torch.bfloat16, enabled=self.amp is not None)

    def _project(self, x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with self._arithmetic(x1):
            if self.join_views:
                h, z = self.online.both(torch.cat([x1, x2]))
                h, (z1, z2) = h.chunk(2)[0], z.chunk(2)
            else:
                h, z1 = self.online.both(x1)
                z2 = self.online(x2)
        return _full(h), _full(z1), _full(z2)

    def _targets(self, x1: Tensor, x2: Tensor, z1: Tensor, z2: Tensor) -> tuple[Tensor, Tensor]:
        with self._arithmetic(x1):
            if self.join_views:
                t1, t2 = self.target(torch.cat([x1, x2]), torch.cat([z1, z2])).chunk(2)
            else:
                t1, t2 = self.target(x1, z1), self.target(x2, z2)
        return _full(t1), _full(t2)

    def _predict(self, z1: Tensor, z2: Tensor, t: Tensor | None) -> tuple[Tensor, Tensor]:
        if self.timing == "stale":
            return self.predictor(z1), self.predictor(z2)
        first, last = self._blends(torch.stack([z1, z2]), t)
        return self._predict_by(first, z1), self._predict_by(last, z2)

    def _predict_by(self, statistics: Statistics, z: Tensor) -> Tensor:
        W = self.predictor.weight(self.moments.correlation(statistics), statistics.cross)
        return self.predictor(z) if W is None else z @ W.T

    def _blends(self, z: Tensor, t: Tensor | None) -> tuple[Statistics, Statistics]:
        """The statistics that the predictions of view 1 and of view 2 may use; the second is what remains."""
        if self.source == "pooled":
            both = self.moments.blend(self.moments.now, z.flatten(0, 1), None if t is None else t.flatten(0, 1))
            return both, both
        t1, t2 = (None, None) if t is None else t
        first = self.moments.blend(self.moments.now, z[0], t1)
        return first, self.moments.blend(first, z[1], t2)

    @torch.no_grad()
    def after_step(self, step: Step, index: int, fraction: float) -> None:
        """The updates without gradient, in this order and nowhere else.

        Args:
            step: of this training step.
            index: number of the training step, from 0.
            fraction: of the training that is done, in [0, 1].
        """
        self.moments.store(self._blends(step.z, step.t)[1])
        if index % self.predictor.every == 0:
            self.predictor.refresh(self.moments.F, self.moments.cross, step.z.flatten(0, 1))
        self.target.update(self.online, fraction)
        if step.t is not None and step.y is not None:
            self.positives.update(step.t[1], step.y)


def _full(x: Tensor) -> Tensor:
    """float32 for what autocast made half; float64 stays."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
