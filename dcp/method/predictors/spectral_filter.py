"""Spectral filter: a function g is applied to the singular values of the batch (RDM: Zhuo et al. 2023).

    Z = U diag(s) Vᵀ [N, D],    p = V g(s) Vᵀ z,    g(s) = s^k, log s, log(1 + s) or log(1 + s²)

V and s come from F = E[z zᵀ], whose eigenvectors are V and whose eigenvalues are s²/N. With g(s) = s it is DirectPred
of the batch without ε. On the target's side: `filtered`. Without a signal W is the identity.

Source: the rank differential mechanism: a fixed filter, not a learned predictor, makes the two sides differ in rank.
Differs: the official release decomposes every batch anew, for each view: `moments.rho = 0`, `timing = "immediate"`,
`source = "sequential"`, as in the recipes; with other moments s and V are those of F. Our s is that of Z/√N, so that it
does not grow with the batch; this matters to the logarithms, and `gain = √N` is the release's scale. Because s comes
from F, values below a thousandth of the largest are rounding, and are set to that. The release trains SimSiam with a
projector of three layers.
Look at: the effective rank. log s is negative where s < 1, so the IsoLoss objectives refuse this predictor.
Held to: the singular-value decomposition of the batch for each g, `directset` for k = 1, rotations.
"""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field
from torch import Tensor

from dcp.method import spectra
from dcp.method.moments import Total
from dcp.method.predictors.base import ClosedConfig, SetLinear


class Config(ClosedConfig):
    """Keys of the spectral filter; log s may be negative, so W need not be positive."""

    name: Literal["spectral_filter"] = "spectral_filter"
    g: spectra.Filter = Field("poly", description="the filter: s^power, log(s), log(1 + s) or log(1 + s²)")
    power: float = Field(1.0, ge=-4, le=4, description="k, exponent of s if g is poly")
    gain: float = Field(1.0, gt=0, description="factor on s, for log, log1 and log2; the release has √N")

    def clashes(self, recipe: Any) -> Iterator[tuple[str, str]]:
        """An exponent where nothing is raised to it."""
        yield from super().clashes(recipe)
        if self.g != "poly" and self.power != 1.0:
            yield f'predictor.power has no effect: g = "{self.g}" takes no exponent', 'leave it out, or take g = "poly"'


def weight(F: Tensor, *, g: spectra.Filter, power: float = 1.0, gain: float = 1.0) -> Tensor:
    """W [D, D], symmetric, from F [D, D]; I where F is zero or not finite.

    >>> import torch
    >>> weight(torch.diag(torch.tensor([4.0, 1.0, 0.25])), g="poly").diag()
    tensor([2.0000, 1.0000, 0.5000])
    """
    s, V = spectra.eigh(F)
    return spectra.or_identity((V * spectra.response(gain * s.sqrt(), g, power)) @ V.T, F)


def build(config: Config, dim: int, total: Total) -> SetLinear:
    """A predictor of [B, dim] that is set by `weight`."""
    return SetLinear(dim, lambda F, C, v: weight(F, g=config.g, power=config.power, gain=config.gain), config.every)
