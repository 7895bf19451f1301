"""DirectPred (Tian, Chen, Ganguli 2021, arXiv:2102.06810): the predictor is the root of the correlation matrix.

    paper   F = U diag(s) Uᵀ,  p_j = √s_j + ε max_k s_k,      W = U diag(p) Uᵀ
    here    F = U diag(s) Uᵀ,  p_j = √(s_j / max_k s_k) + ε,  W = U diag(p) Uᵀ

Ours is the form of the official release: it does not change when the features are rescaled, while the printed one does
(under the cosine loss the two are the same map where max s = 1). It is DirectSet(1/2). The release also floors the sum
in which ε stands at 1e-4; that matters only for ε < 1e-4 and is kept. `every = 5` is the paper's "freq = 5".

The paper's offset p_j = √max(s_j - c, 0) (Table 7) is ε = -c inside, with c in units of max s; there ε may be negative,
and what the floor leaves of a dropped direction is √1e-4 = 0.01.
"""

from typing import Literal

from pydantic import Field
from torch import Tensor

from dcp.method.moments import Total
from dcp.method.predictors import directset
from dcp.method.predictors.base import SetConfig, SetLinear

FLOOR = 1e-4  # official release, compute_w_corr


class Config(SetConfig):
    """Keys of DirectPred; ε = 0.1 and ρ = 0.3 are the best of the paper's Table 6."""

    name: Literal["directpred"] = "directpred"
    eps: float = Field(0.1, ge=-1, description="ε, added to every eigenvalue of W; inside, -ε is the paper's offset c")
    eps_place: Literal["outside", "inside"] = Field(
        "outside", description="whether ε is added after the root or before"
    )


def build(config: Config, dim: int, total: Total) -> SetLinear:
    """A predictor of [B, dim] that is set by `directset.weight` with α = 1/2."""

    def rule(F: Tensor, *, C: Tensor, v: Tensor) -> Tensor:
        return directset.weight(F, alpha=0.5, eps=config.eps, norm=config.norm, eps_place=config.eps_place, floor=FLOOR)

    return SetLinear(dim, rule, every=config.every)
