"""Softmax: cross-entropy between the softmaxes of target and prediction (Sarnthein et al. 2023).

    L = -Σ_j softmax(t / T)_j log softmax(p / T)_j        mean of both directions

The loss of "Random Teachers are Good Teachers", with T = 1, against a teacher that is never updated (`frozen`). Against
a teacher that follows the student, only the predictor keeps images apart.

Differs: both directions count; if the views are equal, as in the paper, this is the published loss.
Look at: the scores, next to those of the untrained encoder.
Held to: a float64 computation from the formula to 1e-10, loss and gradient.
"""

from typing import Literal

from pydantic import Field
from torch import Tensor
from torch.nn import functional as fn

from dcp.method.objectives.base import ObjectiveConfig, Setting


class Config(ObjectiveConfig):
    """Keys of the softmax objective."""

    name: Literal["softmax"] = "softmax"
    temperature: float = Field(1.0, gt=0, description="temperature T, which divides both sides")


def loss_in(setting: Setting, config: Config, p: Tensor, z: Tensor, t: Tensor) -> Tensor:
    """Half of L in this direction, so that both are its mean; [B]."""
    wanted = fn.softmax(t / config.temperature, dim=-1)
    return -(wanted * fn.log_softmax(p / config.temperature, dim=-1)).sum(-1) / 2
