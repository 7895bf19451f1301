"""Symmetric: a learned linear predictor with W = Wᵀ (Tian, Chen, Ganguli 2021, arXiv:2102.06810, Table 3).

    p = W z,  W = (A + Aᵀ) / 2

The paper's theory assumes W symmetric; it is the default of the official release (`predictor_reg: symmetric`).

Differs: the release replaces W by (W + Wᵀ)/2 after every step of SGD; the gradient of A is the symmetric part of W's,
so from a symmetric start both take the same path, with momentum and weight decay too, but not with LARS or AdamW. Its W
is not symmetric before the first step.
Look at: the state of the run where `target.name = "online"`: without a moving average this one fell to 36.62 ± 1.85. W
need not be positive, so the IsoLoss objectives refuse it.
Published: STL-10, 100 epochs, moving-average target: 75.09 ± 0.48 without bias, 74.52 ± 0.29 with (74.51 ± 0.47 and
74.16 ± 0.33 for a free W; Table 3, "sym").
Held to: steps of SGD on a free W that is symmetrised after each, as in the release.
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
    """Final: one symmetric matrix [D, D], with a bias or without."""

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
