"""DirectSet(α): the predictor is a power of the correlation matrix (Wang, Chen, Du, Tian 2021, arXiv:2110.04947).

    F = U diag(s) Uᵀ
    W = U diag((s/n)^α + ε) Uᵀ        eps_place = "outside" (default); n = ‖F^α‖^(1/α), so that F^α / ‖F^α‖ appears
    W = U diag((s/n + ε)^α) Uᵀ        eps_place = "inside"; n = ‖F‖

α = ½ is `directpred` without its floor of 1e-4, α = 1 is `directcopy`, and α = 2 favours strong directions even more.
In the papers' linear model, α does not change the weight decay that a feature survives, only how large it becomes.

Unverified: the paper's body could not be read. The formula is that of its third-party implementations. Which norm the
paper prints is open, so `norm` is a key. "inside" is how the IsoLoss release has it (Halvagal et al. 2023).
Differs: the official release floors the sum that contains ε at 1e-4; here ε ≥ 0, so no recipe needs a floor.
Look at: `F_effective_rank` and W's eigenvalues in `probes/spectrum.json`. α = 1 is the most fragile of the family: one
third-party release notes that it collapsed while α = ½ trained.
Held to: worked values, matrix powers for α = 1 and 2.
"""

from typing import Literal

from pydantic import Field
from torch import Tensor

from dcp.method import spectra
from dcp.method.moments import Total
from dcp.method.predictors.base import SetConfig, SetLinear
from dcp.method.spectra import Norm

Place = Literal["outside", "inside"]


class Config(SetConfig):
    """Keys of DirectSet(α)."""

    name: Literal["directset"] = "directset"
    alpha: float = Field(0.5, gt=0, le=16, description="α, exponent of F")
    eps: float = Field(0.1, ge=0, description="ε, added to every eigenvalue of W")
    eps_place: Place = Field("outside", description="add ε after the power, or before it")


def weight(
    F: Tensor, *, alpha: float, eps: float, norm: Norm = "spectral", eps_place: Place = "outside", floor: float = 0.0
) -> Tensor:
    """W [D, D] from F [D, D], symmetric positive semi-definite; W = ε I (or ε^α I) where F is zero or not finite.

    >>> import torch
    >>> weight(torch.diag(torch.tensor([4.0, 1.0, 0.25])), alpha=0.5, eps=0.1).diag()
    tensor([1.1000, 0.6000, 0.3500])
    """
    s, U = spectra.eigh(F)
    if eps_place == "outside":
        # divided before the power too, which changes nothing but keeps s^16 within the range of float32
        power = s**alpha if norm == "none" else spectra.divided(s, s.max()) ** alpha
        return (U * (_normalised(power, norm) + eps).clamp_min(floor)) @ U.T
    return (U * (_normalised(s, norm) + eps).clamp_min(floor) ** alpha) @ U.T


def _normalised(s: Tensor, norm: Norm) -> Tensor:
    """The eigenvalues s [D] of a symmetric positive matrix over its norm."""
    return s if norm == "none" else spectra.divided(s, s.max() if norm == "spectral" else s.norm())


def build(config: Config, dim: int, total: Total) -> SetLinear:
    """A predictor of [B, dim] that is set by `weight`."""
    return SetLinear(
        dim,
        lambda F, C, v: weight(F, alpha=config.alpha, eps=config.eps, norm=config.norm, eps_place=config.eps_place),
        config.every,
    )
