"""MLP: a learned two-layer MLP, as in BYOL (Grill et al. 2020) and SimSiam (Chen, He 2021).

    p = Linear(hidden, D) ∘ ReLU ∘ norm ∘ Linear(D, hidden)

Defaults are those of the small-data baseline of Tian, Chen, Ganguli 2021 (arXiv:2102.06810, official configuration):
hidden 512, batch norm without affine weights, biases. On ImageNet BYOL has hidden 4096, SimSiam 512, both affine.

Differs: SimSiam keeps the predictor's learning rate constant (`lr_schedule = "constant"`). The last layer of its
projector has no bias before the final norm; ours has one, which that norm cancels.
Published: STL-10, 100 epochs: 78.85 ± 0.25 with a moving-average target, 65.98 ± 0.71 without (the same, Table 3).
Held to: shapes of the release.
"""

from typing import Literal

from pydantic import Field
from torch import Tensor, nn

from dcp.catalogue import WIDEST
from dcp.method.moments import Total
from dcp.method.predictors.base import LearntConfig, Predictor


class Config(LearntConfig):
    """Keys of the two-layer predictor."""

    name: Literal["mlp"] = "mlp"
    hidden: int = Field(512, ge=1, le=WIDEST, description="width of the hidden layer")
    norm: Literal["batch", "none"] = Field("batch", description="normalisation of the hidden layer")
    affine: bool = Field(False, description="whether that normalisation has weight and bias")


class Mlp(Predictor):
    """Final: linear, norm ("batch" or "none"), ReLU, linear; D, `hidden` and D wide."""

    def __init__(self, dim: int, *, hidden: int, norm: str, affine: bool) -> None:
        super().__init__()
        middle = nn.BatchNorm1d(hidden, affine=affine) if norm == "batch" else nn.Identity()
        self.layers = nn.Sequential(nn.Linear(dim, hidden), middle, nn.ReLU(), nn.Linear(hidden, dim))

    def forward(self, z: Tensor) -> Tensor:
        """P [B, D]."""
        return self.layers(z)  # type: ignore[no-any-return]


def build(config: Config, dim: int, total: Total) -> Predictor:
    """A two-layer predictor of [B, dim]."""
    return Mlp(dim, hidden=config.hidden, norm=config.norm, affine=config.affine)
