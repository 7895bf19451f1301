"""Linear: a matrix learned together with the encoder, the SGD baseline (Tian, Chen, Ganguli 2021, arXiv:2102.06810).

    p = W z      (+ b with bias = true)

The baseline of Table 3: no bias, PyTorch's default initialisation, the encoder's learning rate and weight
decay, as in the official release. `lr_factor` is α_p of the papers.

Differs: in nothing; but the release's own default symmetrises W after every step, which is `symmetric`.
Published: STL-10, 100 epochs, moving-average target: 74.51 ± 0.47 (Table 3) or 75.06 ± 0.52 (Table 8), the same setting
twice. CIFAR-10, 100 / 300 / 500 epochs: 84.49 ± 0.20, 88.57 ± 0.15, 89.33 ± 0.27 (Table 8).
Held to: the formula.
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
    """Final: one linear layer [B, D] -> [B, D]."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, z: Tensor) -> Tensor:
        """P = W z (+ b), [B, D]."""
        return self.layer(z)  # type: ignore[no-any-return]

    @property
    def matrix(self) -> Tensor:
        """W [D, D]."""
        return self.layer.weight  # type: ignore[return-value]


def build(config: Config, dim: int, total: Total) -> Predictor:
    """A linear predictor of [B, dim]."""
    return Linear(nn.Linear(dim, dim, bias=config.bias))
