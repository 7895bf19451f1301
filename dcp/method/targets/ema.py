"""EMA: the target's weights are a moving average of the online weights (BYOL: Grill et al. 2020, eq. 1).

    θ_t ← τ θ_t + (1-τ) θ
    τ = 1 - (1 - τ₀)(cos(πk/K) + 1)/2        schedule = "cosine", as in BYOL; k of K steps done, with this one

τ = 0.996 is that of the small-data runs of Tian, Chen, Ganguli 2021. Only parameters are averaged. The
target's batch norm uses the batch's statistics, as in the releases; `buffers = "copied"` matters only if the target is
evaluated.

Differs: the DirectPred release starts the target from weights of its own (`start = "independent"`), papers from a copy.
Look at: `target_distance` and `tau` in `metrics.jsonl`.
Held to: the formula by hand, its limits τ = 0 and τ = 1.
"""

import copy
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from dcp.method import schedules
from dcp.method.moments import Total
from dcp.method.schedules import Number
from dcp.method.targets.base import Fresh, Target, TargetConfig


class Config(TargetConfig):
    """Keys of the EMA target."""

    name: Literal["ema"] = "ema"
    tau: float = Field(0.996, ge=0, le=1, description="τ, weight of the past in the target's weights")
    schedule: Literal["constant", "cosine"] = Field(
        "constant", description='"cosine" raises tau to 1 over the training run'
    )
    start: Literal["copy", "independent"] = Field(
        "copy", description="start as a copy of the online branch, or with weights of its own"
    )
    buffers: Literal["own", "copied"] = Field(
        "own", description="batch-norm statistics: the target's own, or copied from the online branch"
    )


class Ema(Target):
    """Final: a second branch, which takes no gradient and follows the first.

    `tau` in [0, 1] is the weight of the past; if it `rises`, it goes to 1 along a cosine. An update that
    `copies_buffers` gives the target the online branch's batch-norm statistics too.
    """

    def __init__(self, branch: nn.Module, *, tau: float, rises: bool, copies_buffers: bool) -> None:
        super().__init__()
        self.branch = branch.requires_grad_(False)
        self.tau, self.rises, self.copies_buffers = tau, rises, copies_buffers

    @torch.no_grad()
    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Projections [B, D] of x by the averaged weights."""
        return self.branch(x)  # type: ignore[no-any-return]

    @torch.no_grad()
    def update(self, online: nn.Module, fraction: Number) -> None:
        """θ_t ← τ θ_t + (1-τ) θ."""
        ours, theirs = tuple(self.branch.parameters()), tuple(online.parameters())
        new = 1 - self.weight_of_past(fraction)
        if isinstance(new, Tensor):  # lerp would take it to the host
            torch._foreach_add_(ours, torch._foreach_mul(torch._foreach_sub(theirs, ours), new.float()))
        else:
            torch._foreach_lerp_(ours, theirs, new)
        if self.copies_buffers:
            for mine, other in zip(self.branch.buffers(), online.buffers(), strict=True):
                mine.copy_(other)

    def weight_of_past(self, fraction: Number) -> Number:
        """τ at this point of the training."""
        return schedules.cosine(self.tau, 1.0, fraction) if self.rises else self.tau


def build(config: Config, online: nn.Module, fresh: Fresh, total: Total) -> Target:
    """An EMA target of the branch `online`; `fresh` makes another one with weights of its own."""
    branch = copy.deepcopy(online) if config.start == "copy" else fresh()
    return Ema(branch, tau=config.tau, rises=config.schedule == "cosine", copies_buffers=config.buffers == "copied")
