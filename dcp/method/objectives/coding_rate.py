"""Coding rate: views agree and the coding rate of the batch is large, as in SimDINO (Wu et al. 2025, arXiv:2502.10385).

    L = a/P Σ_{i≠g} ½ |ẑ_i - t̂_g|² - γ/G Σ_g R(S_g)        R(S) = ½ log det(I + D/(N ε²) SᵀS)        γ = (D + N)/(D N)

ẑ and t̂ are divided by their norms; the first sum has the P pairs of a view and a global one, the second the G global
views; N is the batch of all processes. R is a log det of the Cholesky factor of the smaller of SᵀS and S Sᵀ, which have
the same, so O(N D min(N, D)); nothing in it asks the host for a value. S is the mean of ẑ_g and t̂_g, or ẑ_g.

The target may be `ema`, as in SimDINO, or `shared`, where both views have their gradient: then this is the rate of
Yu et al. 2020 (arXiv:2006.08558) beside the distance. With a predictor, p stands for z.

Source: the release (RobinWu218/SimDINO, Apache 2.0): γ, which it calls a heuristic, the mean S, ε² = 0.5, a = 1.
Unverified: the paper's text could not be read. That its distance is ½ |ẑ - t̂|² is second hand. The Cholesky factor in
a CUDA graph has not been tried on a GPU; a step that cannot be captured is taken eagerly, and says so.
Differs: the release has -ẑ·t̂ for the distance, so its loss is less by a, with the same gradient; and by default the
batch of one process for R.
Look at: `loss`: -γ/2 log(1 + D/ε²) where all is one point, at best -γ min(N, D)/2 log(1 + D/(min(N, D) ε²)).
Held to: a float64 computation from the formula, of 2, 4 and 8 views, to 1e-10; two processes to 1e-9.
"""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as fn

from dcp.method.moments import full
from dcp.method.objectives.base import Setting, ViewsConfig


class Config(ViewsConfig):
    """Keys of the coding rate."""

    keeps_apart: ClassVar[bool] = True

    name: Literal["coding_rate"] = "coding_rate"
    invariance: float = Field(1.0, ge=0, description="a, weight of the squared distance between the views")
    eps_squared: float = Field(0.5, ge=1e-3, description="ε², squared distortion of the coding rate; the release's eps")
    expands: Literal["mean", "online"] = Field(
        "mean", description="what has a large rate: the mean of both branches, or the online one"
    )


def coding_rate(x: Tensor, eps_squared: float) -> Tensor:
    """R, [], >= 0, of the rows of x [N, D]; NaN where there is no Cholesky factor."""
    x = full(x)
    N, D = x.shape
    gram = x.T @ x if D <= N else x @ x.T
    identity = torch.eye(len(gram), dtype=x.dtype, device=x.device)
    factor, failed = torch.linalg.cholesky_ex(identity + D / (N * eps_squared) * gram)  # cholesky waits for a check
    return torch.where(failed == 0, factor.diagonal().log().sum(), torch.nan)


def loss_of_views(setting: Setting, config: Config, p: Tensor, z: Tensor, t: Tensor) -> Tensor:
    """L of p [V, B, D] and t [G, B, D]; [B]."""
    (V, _, D), G = p.shape, len(t)
    online, target = fn.normalize(p, dim=-1), fn.normalize(t, dim=-1)
    every = (online.sum(0) * target.sum(0)).sum(-1)
    agreement = (every - (online[:G] * target).sum((0, 2))) / (G * (V - 1))
    S = online[:G] if config.expands == "online" else (online[:G] + target) / 2
    rows, _ = setting.gather(torch.cat([*S], dim=1))
    rate = torch.stack([coding_rate(x, config.eps_squared) for x in rows.chunk(G, dim=1)]).mean()
    return config.invariance * (1 - agreement) - ((D + len(rows)) / (D * len(rows)) * rate).to(p.dtype)
