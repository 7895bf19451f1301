"""Symmetric MLP: a learned two-layer MLP with one shared matrix (Tian, Chen, Ganguli 2021, arXiv:2102.06810, Table 3).

    p = Vᵀ ReLU(norm(V z + a)) + b

Differs: the official release has two matrices W₁, W₂ and replaces both by V = (W₁ + W₂ᵀ)/2 after every step of SGD.
Here the one V gets the sum of both gradients instead of their mean, so `lr_factor = 0.5` with twice the weight decay
takes the release's path without biases; with them, these get half the rate too.
Look at: the state of the run: without biases it has the largest spread, without a moving average 35.59 ± 2.10.
Published: STL-10, 100 epochs, moving-average target: 77.64 ± 0.41 with biases, 71.58 ± 6.46 without (78.53 ± 0.34 and
78.85 ± 0.25 for two free layers; Table 3, "2-layer", "sym").
Held to: steps of SGD on two free layers that are symmetrised after each, as in the release; a symmetric Jacobian.
"""

from typing import Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as fn

from dcp.catalogue import WIDEST
from dcp.method.moments import Total
from dcp.method.predictors.base import LearntConfig, Predictor


class Config(LearntConfig):
    """Keys of the symmetric two-layer predictor."""

    name: Literal["symmetric_mlp"] = "symmetric_mlp"
    hidden: int = Field(512, ge=1, le=WIDEST, description="width of the hidden layer")
    norm: Literal["batch", "none"] = Field("batch", description="normalisation of the hidden layer, without weights")
    bias: bool = Field(True, description="whether both layers have biases")


class SymmetricMlp(Predictor):
    """Final: a layer, D to `hidden`, and its transpose behind it; the norm is "batch" or "none"."""

    def __init__(self, dim: int, *, hidden: int, norm: str, bias: bool) -> None:
        super().__init__()
        self.first = nn.Linear(dim, hidden, bias=bias)
        self.norm = nn.BatchNorm1d(hidden, affine=False) if norm == "batch" else nn.Identity()
        self.b = nn.Parameter(self.first.weight.new_zeros(dim)) if bias else None

    def forward(self, z: Tensor) -> Tensor:
        """P [B, D]."""
        return fn.linear(self.norm(self.first(z)).relu(), self.first.weight.T, self.b)


def build(config: Config, dim: int, total: Total) -> Predictor:
    """A symmetric two-layer predictor of [B, dim]."""
    return SymmetricMlp(dim, hidden=config.hidden, norm=config.norm, bias=config.bias)
