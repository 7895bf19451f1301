"""Symmetric: a linear predictor learnt by gradient with W = Wᵀ.

    p = W z,  W = (A + Aᵀ) / 2

Tian, Chen, Ganguli 2021 (arXiv:2102.06810, Table 3, "sym") assume W symmetric in their theory and try it. The official
release replaces W by (W + Wᵀ)/2 after every step of SGD; the gradient of A is the symmetric part of W's, so from a
symmetric start both take the same path, with momentum and weight decay too (but not with LARS or AdamW).
"""

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as fn

from dcp.method.moments import Total
from dcp.method.predictors.base import LearntConfig, Predictor


class Config(LearntConfig):
    """Keys of the symmetric predictor that is learnt; W need not be positive."""

    aligns: ClassVar[bool] = True

    name: Literal["symmetric"] = "symmetric"
    bias: bool = Field(False, description="p = W z + b")


class Symmetric(Predictor):
    """Final: one symmetric matrix.

    Args:
        dim: D, of input and output.
        bias: whether it has one.
    """

    def __init__(self, dim: int, *, bias: bool) -> None:
        super().__init__()
        start = nn.Linear(dim, dim, bias=bias)
        self.A = nn.Parameter((start.weight.detach() + start.weight.detach().T) / 2)
        self.b = nn.Parameter(start.bias.detach()) if bias else None

    def forward(self, z: Tensor) -> Tensor:
        """P = W z (+ b), [B, D]."""
        return fn.linear(z, self.matrix, self.b)

    @property
    def matrix(self) -> Tensor:
        """W [D, D]."""
        return (self.A + self.A.T) / 2


def build(config: Config, dim: int, total: Total) -> Predictor:
    """A symmetric predictor of [B, dim]."""
    return Symmetric(dim, bias=config.bias)
