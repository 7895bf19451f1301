"""Linear predictor learnt by gradient: p = W z.

The SGD baseline of Tian, Chen, Ganguli 2021 (arXiv:2102.06810, Table 3).

No bias in the paper's baseline. PyTorch's default initialisation of a linear layer, as in the official release.
"""

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from dcp.method.moments import Total
from dcp.method.predictors.base import LearntConfig, Predictor


class Config(LearntConfig):
    """Keys of the linear predictor."""

    aligns: ClassVar[bool] = True

    name: Literal["linear"] = "linear"
    bias: bool = Field(False, description="p = W z + b")


class Linear(Predictor):
    """Final: one linear layer.

    Args:
        dim: D, of input and output.
        bias: whether it has one.
    """

    def __init__(self, dim: int, *, bias: bool) -> None:
        super().__init__()
        self.layer = nn.Linear(dim, dim, bias=bias)

    def forward(self, z: Tensor) -> Tensor:
        """P = W z (+ b), [B, D]."""
        return self.layer(z)  # type: ignore[no-any-return]

    @property
    def matrix(self) -> Tensor:
        """W [D, D]."""
        return self.layer.weight


def build(config: Config, dim: int, total: Total) -> Predictor:
    """A linear predictor of [B, dim]."""
    return Linear(dim, bias=config.bias)
