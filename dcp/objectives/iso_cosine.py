"""IsoLoss, cosine form (Halvagal, Laborieux, Zenke 2023).

    L = -2 [ z·t / sg(|p||t|) - ½ sg(p·t / (|p|³|t|)) |W^½ z|² ]

The release takes a root of W for the last factor; |W^½ z|² = ⟨W z, z⟩ = p·z has the same value and, W being symmetric, the same gradient
in z, so no root is needed. The gradient in z is that of the cosine objective in p. W must be symmetric and positive: any
predictor that is set from F.
"""

from typing import Literal

from torch import Tensor

from dcp.objective import ObjectiveConfig


class Config(ObjectiveConfig):
    """Keys of the cosine IsoLoss."""

    name: Literal["iso_cosine"] = "iso_cosine"


def loss(p: Tensor, z: Tensor, t: Tensor) -> Tensor:
    """The cosine IsoLoss, [B]; only its gradient has a meaning, its value is no similarity."""
    t, q = t.detach(), p.detach()
    p_norm, t_norm = q.norm(dim=-1), t.norm(dim=-1)
    tiny = 1e-12  # a zero projection gives a zero loss, not NaN
    pull = (z * t).sum(-1) / (p_norm * t_norm).clamp_min(tiny)
    push = (q * t).sum(-1) / (p_norm**3 * t_norm).clamp_min(tiny) * (p * z).sum(-1)
    return -2 * (pull - push / 2)
