"""The method: BYOL, SimSiam, DirectPred and DirectCopy are one algorithm with different parts.

    zᵢ = online(xᵢ)        pᵢ = W zᵢ        tᵢ = sg target(xᵢ)        for the views i of an image
    loss   = 2/N Σ ℓ(pᵢ, tⱼ)        over the N pairs i ≠ j; of two views ℓ(p₁, t₂) + ℓ(p₂, t₁), as in the papers
    after the optimizer step:   1. F from all zᵢ      2. W from F      3. the target from the online branch

The target sees the global views alone; local ones (multi-crop: Caron et al. 2020, arXiv:2006.09882) predict them and
are not predicted. Where training sees labels, `positives` adds terms to the loss and remembers targets last of all.

This is the order of the official release: W is one step old when it is used, and nothing but batch-norm statistics
changes in `forward`. With `timing = "immediate"` (Wang, Chen, Du, Tian 2021 can be read so, and the IsoLoss release
does it) the forward pass uses the W that F of this very batch gives; it still becomes the present only in `after_step`.

Shapes: V views, G of them global, B images in the batch, D projection size.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from dcp.method.moments import Moments, Statistics, full
from dcp.method.networks import Branch
from dcp.method.objectives.base import Loss, LossOfViews, mean, mean_of_others, others
from dcp.method.passes import Pass, one_after_the_other
from dcp.method.positives.base import Extra, Positives
from dcp.method.predictors.base import Predictor
from dcp.method.schedules import Number
from dcp.method.targets.base import Target


class Outputs(NamedTuple):
    """What one forward pass gives, for the loss and the updates after it."""

    losses: Tensor  # [B] one symmetric loss an image
    z: Tensor  # [V, B, D] online projections of all views, detached
    h: Tensor  # [B, features] of the first view, before the projector, detached
    t: Tensor | None  # [V, B, D] the mean of what each z predicts, detached; None where nothing needs it
    y: Tensor | None = None  # [B] classes as far as training sees them, -1 elsewhere
    t_first: Tensor | None = None  # [B, D] the target's projection of the first view, detached


class Method(nn.Module):
    """One step of non-contrastive learning, and the updates without gradient that follow it.

    Args:
        online: the branch that learns, [B, 3, H, W] -> [B, D].
        predictor: [B, D] -> [B, D].
        target: makes t.
        moments: keeps F.
        objective: ℓ(p, z, t) -> [B]; or a loss of all views at once.
        positives: what is predicted besides the other views, or in their place.
        timing: "stale" or "immediate", which W the forward pass uses.
        source: "pooled" (one update of F from all views) or "sequential" (one a view).
        local: how many views, the last ones, the target does not see.
        through: takes the views through a network, one after the other as in the papers, or joined.
        amp: dtype of the networks' arithmetic, or None for that of their weights. Everything after z is float32.
    """

    def __init__(
        self,
        online: Branch,
        predictor: Predictor,
        target: Target,
        moments: Moments,
        objective: Loss | LossOfViews,
        *,
        positives: Positives | None = None,
        timing: Literal["stale", "immediate"] = "stale",
        source: Literal["pooled", "sequential"] = "pooled",
        local: int = 0,
        through: Pass = one_after_the_other,
        amp: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.online, self.predictor, self.target, self.moments = online, predictor, target, moments
        self.objective, self.timing, self.source = objective, timing, source
        self.positives, self.local, self.through, self.amp = positives or Positives(), local, through, amp

    def forward(self, *views: Tensor, y: Tensor | None = None) -> Outputs:
        """Losses of V views [B, C, H, W] of the same images; changes nothing but batch-norm statistics.

        y [B] are classes, -1 where unknown, for positives that need labels.
        """
        G = len(views) - self.local
        with self.arithmetic(views[0]):
            h = self.through(self.online.backbone, views)
            z = tuple(map(full, self.through(self.online.projector, h)))
            t = tuple(map(full, self.through(self.target, views[:G], z[:G])))
        needs_t = self.moments.keeps_cross
        now = torch.stack(z).detach()
        predicted = mean_of_others(t, len(views)).detach() if needs_t else None
        if self.timing == "stale":
            p = [self.predictor(z_i) for z_i in z]
        else:
            past = self.blends(now, predicted)
            W = [self._weight(past[0])] * len(z) if self.source == "pooled" else [*map(self._weight, past)]
            p = [self.predictor(z_i) if W_i is None else z_i @ W_i.T for W_i, z_i in zip(W, z, strict=True)]
        return Outputs(self._losses(p, z, t, y), now, full(h[0]).detach(), predicted, y, t[0].detach())

    def arithmetic(self, x: Tensor) -> torch.autocast:
        """Autocast to `amp` on the device of x, or none."""
        return torch.autocast(x.device.type, dtype=self.amp or torch.bfloat16, enabled=self.amp is not None)

    def _weight(self, statistics: Statistics) -> Tensor | None:
        """The W that these statistics would set, [D, D]; None for a predictor that is not set from them."""
        return self.predictor.weight(self.moments.correlation(statistics), statistics.cross)

    def _losses(self, p: Sequence[Tensor], z: Sequence[Tensor], t: Sequence[Tensor], y: Tensor | None) -> Tensor:
        """The loss of each image, [B]: 2/N Σ ℓ over the N pairs of a view and what it predicts."""
        if isinstance(self.objective, LossOfViews):
            return self.objective(torch.stack(list(p)), torch.stack(list(z)), torch.stack(list(t)))
        each = [others(t, i) for i in range(len(p))]
        predicted = [[mean(targets)] for targets in each] if self.positives.average else each
        losses = [self._loss(p[i], z[i], t_j, y) for i in range(len(p)) for t_j in predicted[i]]
        return 2 / len(losses) * sum(losses[1:], losses[0])

    def _loss(self, p: Tensor, z: Tensor, t: Tensor, y: Tensor | None) -> Tensor:
        """ℓ(p, z, t), and where there are labels ℓ towards the other positives."""
        assert not isinstance(self.objective, LossOfViews)
        loss = self.objective(p, z, t)
        if y is None:
            return loss
        extra: Extra = self.positives(t, y)
        return extra.own * loss + extra.other * self.objective(p, z, extra.t)

    def blends(self, z: Tensor, t: Tensor | None) -> list[Statistics]:
        """The statistics [V] that the predictions of the views may use; those of the last one are what remains.

        z [V, B, D] are all projections, t [V, B, D] the mean of what each predicts, where the moments keep C.
        """
        if self.source == "pooled":
            pooled = self.moments.blend(self.moments.now, z.flatten(0, 1), None if t is None else t.flatten(0, 1))
            return [pooled] * len(z)
        views = zip(z, [None] * len(z) if t is None else t, strict=True)
        return [*accumulate(views, lambda past, view: self.moments.blend(past, *view), initial=self.moments.now)][1:]

    @torch.no_grad()
    def after_step(self, outputs: Outputs, step: int, fraction: Number, *, refreshes: bool = True) -> None:
        """The updates without gradient, in this order and nowhere else.

        `step` counts from 0; `fraction` of the training, in [0, 1], is done after it. One that does not refresh leaves
        it to the caller to set W before the next step: what follows here does not depend on W.
        """
        self.moments.store(self.blends(outputs.z, outputs.t)[-1])
        if refreshes:
            self.set_predictor(outputs, step)
        self.target.update(self.online, fraction)
        if outputs.t_first is not None and outputs.y is not None:
            self.positives.update(outputs.t_first, outputs.y)

    @torch.no_grad()
    def set_predictor(self, outputs: Outputs, step: int) -> None:
        """W from F, at every k-th step: the second update of `after_step`."""
        if step % self.predictor.every == 0:
            self.predictor.refresh(self.moments.F, self.moments.cross, outputs.z.flatten(0, 1))
