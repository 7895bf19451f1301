"""Filtered: the online branch behind a stop-gradient, a function g applied to its spectrum (RDM: Zhuo et al. 2023).

    Z = U diag(s) Vᵀ,    t = sg(V g(s) Vᵀ z),    g(s) = s^k, log s, log(1 + s) or log(1 + s²)

Z [N, D] are the projections of this view by all processes (of both views with `train.join_views`), s their singular
values, unscaled, so they grow with √N. If Z is zero or not finite, t is z.

Differs: the official release has s^k on this side, with k = ±1 as its examples; the logarithms are those of the online
side (`spectral_filter`). Its BYOL filters a moving average's projections too; here the target is the online branch.
Held to: the singular-value decomposition of the batch, for each g.
"""

from collections.abc import Iterator
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from dcp.method import spectra
from dcp.method.moments import Total, full
from dcp.method.predictors import spectral_filter
from dcp.method.targets.base import Fresh, Target, TargetConfig


class Config(TargetConfig):
    """Keys of the filter."""

    name: Literal["filtered"] = "filtered"
    g: spectra.Filter = Field("poly", description="the filter: s^power, log(s), log(1 + s) or log(1 + s²)")
    power: float = Field(1.0, ge=-4, le=4, description="k, exponent of s if g is poly")

    def clashes(self, recipe: Any) -> Iterator[tuple[str, str]]:
        """An exponent where nothing is raised to it."""
        if self.g != "poly" and self.power != 1.0:
            yield f'target.power has no effect: g = "{self.g}" takes no exponent', 'leave it out, or take g = "poly"'


class Filtered(Target):
    """Final: t = sg(V g(s) Vᵀ z), s and V those of all processes' z by `total`, which adds up over them."""

    forward_waits = True

    def __init__(self, g: spectra.Filter, *, power: float, total: Total) -> None:
        super().__init__()
        self.g, self.power, self.total = g, power, total

    @torch.no_grad()
    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """The filtered projections, [B, D]; z itself where it is zero or not finite."""
        with torch.autocast(z.device.type, enabled=False):
            Z = full(z)
            gram = self.total(Z.T @ Z)  # eigenvalues s²
            return (Z @ spectral_filter.weight(gram, g=self.g, power=self.power)).to(z.dtype)


def build(config: Config, online: nn.Module, fresh: Fresh, total: Total) -> Target:
    """The filtered target; it has no branch of its own."""
    return Filtered(config.g, power=config.power, total=total)
