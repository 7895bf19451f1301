"""Frozen: a random teacher close to the student, never updated (Sarnthein, Bachmann, Anagnostidis, Hofmann 2023).

    θ_S = [(1-α) θ_T + α θ~] / √(α² + (1-α)²)        the student's start; θ_T and θ~ are independent random weights

The student learns the outputs of a random network, starting close to it, and ends with better features than that
teacher. In the paper α is 1e-10 and may be up to 0.6. In float32, a student with 1e-10 starts as the teacher itself,
except for the last digits of its smallest weights. The teacher is in evaluation mode, as in the paper, so its output
for an image does not depend on the batch.

Source: Random Teachers are Good Teachers. A baseline without labels and without views.
Differs: a target is made for a branch that already has its weights, so the teacher is the mixture: θ_T and θ_S trade
places. For weights from normal distributions around zero, the pair (θ_T, θ_S) has the same joint distribution both
ways, because its covariance is symmetric. PyTorch draws linear layers and biases uniformly, for which this holds for
second moments only. Weights that start at a constant (of norms) keep it, rather than grow by up to √2. In the official
release's CIFAR-10 configuration student and teacher start equal: α = 0 here. Two views of an image are two samples
here; with no augmentation, as in the paper, they are the same one.
Look at: `untrained` next to each score, which is what the teacher's features give; `target_distance`, how far it went.
Published: a linear probe, CIFAR-10, ResNet-18: teacher 35.50 %, student 46.02 %, raw pixels 39.02 %.
Held to: the mixture's covariance for four α, a teacher that nothing moves; a stopped run resumes to the same bytes.
"""

import copy
import math
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as fn

from dcp.method.moments import Total
from dcp.method.targets.base import Fresh, Target, TargetConfig


class Config(TargetConfig):
    """Keys of the frozen target."""

    given: ClassVar[bool] = True

    name: Literal["frozen"] = "frozen"
    alpha: float = Field(1e-10, ge=0, le=1, description="α, how far the student starts from the teacher; 1: unrelated")
    norm: Literal["start", "batch"] = Field("start", description="which statistics the teacher's batch norms use")


class Frozen(Target):
    """Final: a teacher [B, 3, H, W] -> [B, D] without gradient and updates.

    If it `evaluates`, it stays in evaluation mode whatever the student's mode is; if it `standardises`, a layer norm
    without weights stands behind it.
    """

    def __init__(self, teacher: nn.Module, *, evaluates: bool, standardises: bool = False) -> None:
        super().__init__()
        self.teacher = teacher.requires_grad_(False)
        self.evaluates, self.standardises = evaluates, standardises
        self.train()

    def train(self, mode: bool = True) -> "Frozen":
        """Training mode for all but a teacher that stays in evaluation mode."""
        super().train(mode)
        self.teacher.train(mode and not self.evaluates)
        return self

    @torch.no_grad()
    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """What the teacher gives for x, [B, D]."""
        t: Tensor = self.teacher(x)
        return fn.layer_norm(t, t.shape[-1:]) if self.standardises else t


@torch.no_grad()
def near(student: nn.Module, fresh: nn.Module, alpha: float) -> nn.Module:
    """A network near `student`: the mixture of its weights and those of `fresh`, whose draws the student's resemble."""
    mixed = copy.deepcopy(student)
    for mine, other in zip(mixed.parameters(), fresh.parameters(), strict=True):
        mixture = ((1 - alpha) * mine + alpha * other) / math.hypot(alpha, 1 - alpha)
        mine.copy_(torch.where(mine == other, mine, mixture))
    return mixed


def build(config: Config, online: nn.Module, fresh: Fresh, total: Total) -> Target:
    """A teacher near `online`; `fresh` makes another branch with weights of its own."""
    return Frozen(near(online, fresh(), config.alpha), evaluates=config.norm == "start")
