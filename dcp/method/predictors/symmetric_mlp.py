"""Symmetric two-layer predictor learnt by gradient: both layers share one matrix.

    p = Vᵀ ReLU(norm(V z + a)) + b

Tian, Chen, Ganguli 2021 (arXiv:2102.06810, Table 3, "2-layer, sym"). The official release has two matrices W₁, W₂ and
replaces both by V = (W₁ + W₂ᵀ)/2 after every step of SGD. Here the one V gets the sum of both gradients instead of
their mean, so `lr_factor = 0.5` with twice the weight decay takes the release's path.
"""

from typing import Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as fn

from dcp.method.moments import Total
from dcp.method.predictors.base import LearntConfig, Predictor


class Config(LearntConfig):
    """Keys of the symmetric two-layer predictor."""

    name: Literal["symmetric_mlp"] = "symmetric_mlp"
    hidden: int = Field(512, ge=1, description="width of the hidden layer")
    norm: Literal["batch", "none"] = Field("batch", description="normalisation of the hidden layer, without weights")
    bias: bool = Field(True, description="whether both layers have biases")


class SymmetricMlp(Predictor):
    """Final: a layer, its transpose behind it.

    Args:
        dim: D, of input and output.
        hidden: width in between.
        norm: "batch" or "none".
        bias: of both layers.
    """

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
