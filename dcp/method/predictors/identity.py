"""Identity: p = z, a control that is expected to collapse (Tian, Chen, Ganguli 2021, arXiv:2102.06810).

    p = z

With a stop-gradient and no predictor, the linear model has dW/dt = -W (X' + η I), so every direction that augmentation
disturbs decays (Theorem 2 and the remark after it). Use it to see what a collapse looks like.

Look at: `metrics.jsonl` and the summary.
Held to: the formula.
"""

from typing import ClassVar, Literal

from torch import Tensor

from dcp.method.moments import Total
from dcp.method.predictors.base import Predictor, PredictorConfig


class Config(PredictorConfig):
    """The identity has no keys."""

    symmetric: ClassVar[bool] = True
    identity: ClassVar[bool] = True

    name: Literal["identity"] = "identity"


class Identity(Predictor):
    """Final: p = z."""

    def forward(self, z: Tensor) -> Tensor:
        """The projections themselves, [B, D]."""
        return z


def build(config: Config, dim: int, total: Total) -> Predictor:
    """The identity, whatever `dim`."""
    return Identity()
