"""DirectPred: the predictor is the root of the correlation matrix (Tian, Chen, Ganguli 2021, arXiv:2102.06810).

    paper   F = U diag(s) Uᵀ,  p_j = √s_j + ε max_k s_k,      W = U diag(p) Uᵀ
    here    F = U diag(s) Uᵀ,  p_j = √(s_j / max_k s_k) + ε,  W = U diag(p) Uᵀ

Eqs. 18 and 19: DirectSet(½) with a floor. `every = 5` is the paper's "freq = 5": in between the optimizer steps on W,
with a momentum that is never reset, as in the release.

The paper's offset p_j = √max(s_j - c, 0) is `eps = -c` with `eps_place = "inside"`, with c in units of max s as in the
release; there ε may be negative, and what the floor leaves of a dropped direction is √1e-4 = 0.01.

Differs: ours is the form of the official release, which does not change when the features are rescaled; the printed one
does (under the cosine loss the two are the same map where max s = 1). Like the release we floor the sum in which ε
stands at 1e-4. Its README passes ε = 0.01; ours is the paper's best, 0.1 (Table 6). Its first W is a random layer, ours
I; its target starts from weights of its own (`target.start = "independent"`).
Published: STL-10, 100 / 300 / 500 epochs: 77.86 ± 0.16, 78.77 ± 0.97, 78.86 ± 1.15; freq = 5: 77.54 ± 0.11, 79.90 ±
0.66, 80.28 ± 0.62. CIFAR-10: 85.21 ± 0.23, 88.88 ± 0.15, 89.52 ± 0.04; freq = 5: 84.93 ± 0.29, 88.83 ± 0.10, 89.56 ±
0.13 (Table 8; best test accuracy over the classifier's epochs, 5 runs). Offset, STL-10, ρ = 0.3: c = 0.1 46.57 ± 18.43,
0.05 65.31 ± 18.22, -0.05 77.11 ± 0.66, -0.1 76.46 ± 0.55 (Table 7).
Held to: worked values of the release's form, its floor.
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
    eps_place: directset.Place = Field("outside", description="whether ε is added after the root or before")


def build(config: Config, dim: int, total: Total) -> SetLinear:
    """A predictor of [B, dim] that is set by `directset.weight` with α = 1/2."""

    def rule(F: Tensor, C: Tensor, v: Tensor) -> Tensor:
        return directset.weight(F, alpha=0.5, eps=config.eps, norm=config.norm, eps_place=config.eps_place, floor=FLOOR)

    return SetLinear(dim, rule, config.every)
