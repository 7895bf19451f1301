"""Softmax: cross-entropy between the softmaxes of target and prediction, image by image.

    L = -Σ_j softmax(t / T)_j log softmax(p / T)_j

The loss of Random Teachers are Good Teachers (Sarnthein, Bachmann, Anagnostidis, Hofmann 2023), with T = 1, against a
teacher that never moves (`target.name = "frozen"`). Against a target that follows the student nothing in it keeps
images apart.
"""

from typing import Literal

from pydantic import Field
from torch import Tensor
from torch.nn import functional as fn

from dcp.method.objectives.base import Loss, ObjectiveConfig, Setting


class Config(ObjectiveConfig):
    """Keys of the softmax objective."""

    name: Literal["softmax"] = "softmax"
    temperature: float = Field(1.0, gt=0, description="T, by which both sides are divided")


def build(config: Config, setting: Setting) -> Loss:
    """The loss (p, z, t) -> [B]: half of L in this direction, so that both are its mean."""

    def loss(p: Tensor, z: Tensor, t: Tensor) -> Tensor:
        wanted = fn.softmax(t / config.temperature, dim=-1)
        return -(wanted * fn.log_softmax(p / config.temperature, dim=-1)).sum(-1) / 2

    return loss
