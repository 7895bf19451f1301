"""DirectCopy: the predictor is the correlation matrix of its own input (Wang, Chen, Du, Tian 2021, arXiv:2110.04947).

    W = F / ‖F‖ + ε I

This is `directset` with α = 1, without an eigen-decomposition. The spectral norm ‖F‖₂ = λ_max comes from power
iteration that starts at the vector of the previous step. Under the cosine loss, the Frobenius norm with ε is the same
as the spectral norm with ε ‖F‖_F / ‖F‖₂.

Unverified: the paper's body could not be read. The formula, ε = 0.3 and ρ = 0.5 are those of third-party
implementations, which disagree about the norm, so it is a key.
Differs: the code path `directcopy` of the official release is never reached; its `balance_type: direct` is F + ε I,
here `norm = "none"`; its `boost_scale` with `dyn_convert: 1` is this W, by an eigen-decomposition. The rest is as in
`directpred`.
Held to: worked values, scale and rotation, the eigen-decomposition form.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from dcp.method import spectra
from dcp.method.moments import Total
from dcp.method.predictors.base import SetConfig, SetLinear


class Config(SetConfig):
    """Keys of DirectCopy; ε = 0.3 and ρ = 0.5 are the values of its third-party implementations."""

    name: Literal["directcopy"] = "directcopy"
    eps: float = Field(0.3, ge=0, description="ε, added to every eigenvalue of W")


def weight(F: Tensor, *, eps: float, norm: spectra.Norm = "spectral", v: Tensor | None = None) -> Tensor:
    """W [D, D] from F [D, D], as symmetric as F; W = ε I where F is zero or not finite.

    v [D] is a unit vector near F's top eigenvector; without it power iteration starts cold.

    >>> weight(torch.diag(torch.tensor([4.0, 1.0, 0.25])), eps=0.3).diag()
    tensor([1.3000, 0.5500, 0.3625])
    """
    size = spectra.norm(F, norm, v)
    signal = spectra.finite(F) & (size > 0)
    W = torch.where(signal, F, 0.0).div_(torch.where(signal, size, 1.0))
    W.diagonal().add_(eps)
    return W


def build(config: Config, dim: int, total: Total) -> SetLinear:
    """A predictor of [B, dim] that is set by `weight`."""
    return SetLinear(
        dim,
        lambda F, C, v: weight(F, eps=config.eps, norm=config.norm, v=v),
        config.every,
        follows_top=config.norm == "spectral",
        refresh_waits=False,
    )
