"""IsoLoss, cosine form: all eigenmodes learn at the same pace (Halvagal, Laborieux, Zenke 2023).

    L = -2 [ z·t / sg(|p||t|) - ½ sg(p·t / (|p|³|t|)) |W^½ z|² ]        in each direction

With the cosine objective, the speed of each eigenmode is multiplied by its eigenvalue of W. The gradient of this loss
in z is that of the cosine objective in p, so that factor is gone. W must be symmetric and positive, as it is if set
from F.

Source: Implicit variance regularization in non-contrastive SSL, and its release.
Differs: the release takes a root of W for the last factor; |W^½ z|² = ⟨W z, z⟩ = p·z has the same value and, W being
symmetric, the same gradient, so no root is needed. Its settings (ρ = 0.998 with a moving average, F from zero, one
update a view, W of the very batch) are keys of `[moments]`; `cifar10_straight_through` has them.
Look at: the spectrum of F: modes should rise together. The value of the loss is not a similarity.
Held to: the printed form with a root of W to 1e-10, value and gradient; `straight_through`.
"""

from typing import Literal

from torch import Tensor
from torch.nn import functional as fn

from dcp.method.objectives.base import IsoConfig

TINY = 1e-8  # a vector shorter than this gives a small loss, not NaN; as in torch's cosine similarity


class Config(IsoConfig):
    """Keys of the cosine IsoLoss."""

    name: Literal["iso_cosine"] = "iso_cosine"


def loss(p: Tensor, z: Tensor, t: Tensor) -> Tensor:
    """The cosine IsoLoss, [B]; only its gradient has a meaning, its value is no similarity."""
    q = p.detach()
    towards = fn.normalize(t.detach(), dim=-1, eps=TINY)
    size = q.norm(dim=-1).clamp_min(TINY)
    similarity = (q * towards).sum(-1) / size
    pull: Tensor = (z * towards).sum(-1) / size
    push: Tensor = similarity * (p * z).sum(-1) / size.square()
    return push - 2 * pull
