"""FastSiam: a view predicts the mean of the other views' targets, not each of them (Pototzky et al. 2022).

    loss = 2/V Σᵢ ℓ(pᵢ, mean_{j≠i} tⱼ)        V views.count

The mean of several targets varies less than one of them, which is what lets small batches and few epochs do. With two
views it is `none`. No labels are used.

Unverified: the paper could not be read; that the raw projections are averaged, and not the normalised ones, is
lightly's reading. With `cosine` the mean of targets of different norms leans to the long ones.
Differs: the sum is scaled as with two views; FastSiam has 1/V.
Held to: a float64 loop over the views, `none` with two views to the bit.
"""

from typing import ClassVar, Literal

from dcp.method.objectives.base import Gather
from dcp.method.positives.base import Positives, PositivesConfig


class Config(PositivesConfig):
    """The mean of the targets has no keys."""

    averages: ClassVar[bool] = True

    name: Literal["fastsiam"] = "fastsiam"


class FastSiam(Positives):
    """Final: it says that targets are averaged, and is never asked for more."""

    average = Config.averages


def build(config: Config, dim: int, gather: Gather) -> Positives:
    """FastSiam's mean."""
    return FastSiam()
