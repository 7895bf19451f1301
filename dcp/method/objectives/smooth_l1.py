"""Smooth L1: the distance to a standardised target, the loss of V_kD (Miles, Elezi, Deng 2024).

    L = (1/D) Σ_j h(p_j - LN(t)_j)        h(x) = x²/2 for |x| < 1, |x| - ½ beyond; mean of both directions

LN standardises each target over its own dimensions, without weights, so the scale of the target does not matter. It is
meant for a given teacher (`distill`), which standardises already; doing it twice changes nothing.

Differs: V_kD keeps its projector orthogonal; ours is the last layer of the projector, without that constraint.
Look at: `loss`: a mean over dimensions, so it is small and needs a larger learning rate with SGD.
Held to: a float64 computation from the formula to 1e-10, loss and gradient.
"""

from typing import Literal

from torch import Tensor
from torch.nn import functional as fn

from dcp.method.objectives.base import ObjectiveConfig


class Config(ObjectiveConfig):
    """Keys of the smooth L1 objective."""

    name: Literal["smooth_l1"] = "smooth_l1"


def loss(p: Tensor, z: Tensor, t: Tensor) -> Tensor:
    """Half of L in this direction, so that both are its mean; [B], each >= 0."""
    wanted = fn.layer_norm(t, t.shape[-1:])
    return fn.smooth_l1_loss(p, wanted, reduction="none").mean(-1) / 2
