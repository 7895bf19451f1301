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

from dcp.method.moments import Moments, Statistics, full
from dcp.method.networks import Branch
from dcp.method.objectives.base import Loss
from dcp.method.positives.base import Extra, Positives
from dcp.method.predictors.base import Predictor
from dcp.method.schedules import Number
from dcp.method.targets.base import Target
from dcp.method.two_views import TwoViews, one_after_the_other


class Outputs(NamedTuple):
    """What one forward pass gives, for the loss and the updates after it."""

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
        two_views: takes both views through a network, one after the other as in the papers, or joined.
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
        two_views: TwoViews = one_after_the_other,
        amp: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.online, self.predictor, self.target, self.moments = online, predictor, target, moments
        self.objective, self.timing, self.source = objective, timing, source
        self.positives = positives or Positives()
        self.two_views, self.amp = two_views, amp

    def forward(self, x1: Tensor, x2: Tensor, y: Tensor | None = None) -> Outputs:
        """Losses of two views [B, 3, H, W] of the same images; changes nothing but batch-norm statistics.

        y [B] are classes, -1 where unknown, for positives that need labels.
        """
        with self.arithmetic(x1):
            h1, h2 = self.two_views(self.online.backbone, (x1, x2))
            z1, z2 = map(full, self.two_views(self.online.projector, (h1, h2)))
            t1, t2 = map(full, self.two_views(self.target, (x1, x2), (z1, z2)))
        z = torch.stack([z1, z2]).detach()
        t = torch.stack([t2, t1]).detach() if self.moments.keeps_cross or y is not None else None
        if self.timing == "stale":
            p1, p2 = self.predictor(z1), self.predictor(z2)
        else:
            view1, view2 = self.blends(z, t)
            p1, p2 = self._predict_by(view1, z1), self._predict_by(view2, z2)
        losses = self._loss(p1, z1, t2, y) + self._loss(p2, z2, t1, y)
        return Outputs(losses, z, full(h1).detach(), t, y)

    def arithmetic(self, x: Tensor) -> torch.autocast:
        """Autocast to `amp` on the device of x, or none."""
        return torch.autocast(x.device.type, dtype=self.amp or torch.bfloat16, enabled=self.amp is not None)

    def _predict_by(self, statistics: Statistics, z: Tensor) -> Tensor:
        """The prediction by the W that these statistics would set."""
        W = self.predictor.weight(self.moments.correlation(statistics), statistics.cross)
        return self.predictor(z) if W is None else z @ W.T

    def _loss(self, p: Tensor, z: Tensor, t: Tensor, y: Tensor | None) -> Tensor:
        """ℓ(p, z, t), and where there are labels ℓ towards the other positives."""
        loss = self.objective(p, z, t)
        if y is None:
            return loss
        extra: Extra = self.positives(t, y)
        return extra.own * loss + extra.other * self.objective(p, z, extra.t)

    def blends(self, z: Tensor, t: Tensor | None) -> tuple[Statistics, Statistics]:
        """The statistics that the predictions of view 1 and of view 2 may use; those of view 2 are what remains.

        z [2, B, D] are the projections of both views, t [2, B, D] what they predict, where the moments keep C.
        """
        if self.source == "pooled":
            pooled = self.moments.blend(self.moments.now, z.flatten(0, 1), None if t is None else t.flatten(0, 1))
            return pooled, pooled
        t1, t2 = (None, None) if t is None else t
        view1 = self.moments.blend(self.moments.now, z[0], t1)
        return view1, self.moments.blend(view1, z[1], t2)

    @torch.no_grad()
    def after_step(self, outputs: Outputs, step: int, fraction: Number, *, refreshes: bool = True) -> None:
        """The updates without gradient, in this order and nowhere else.

        `step` counts from 0; `fraction` of the training, in [0, 1], is done after it. One that does not refresh leaves
        it to the caller to set W before the next step: what follows here does not depend on W.
        """
        self.moments.store(self.blends(outputs.z, outputs.t)[1])
        if refreshes:
            self.set_predictor(outputs, step)
        self.target.update(self.online, fraction)
        if outputs.t is not None and outputs.y is not None:
            self.positives.update(outputs.t[1], outputs.y)

    @torch.no_grad()
    def set_predictor(self, outputs: Outputs, step: int) -> None:
        """W from F, at every k-th step: the second update of `after_step`."""
        if step % self.predictor.every == 0:
            self.predictor.refresh(self.moments.F, self.moments.cross, outputs.z.flatten(0, 1))
