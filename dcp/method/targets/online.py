"""Online: the online branch itself behind a stop-gradient (SimSiam: Chen, He 2021).

    t = sg(z)

It costs no forward pass.

Held to: value z, no gradient, no weights.
"""

from typing import Literal

from torch import Tensor, nn

from dcp.method.moments import Total
from dcp.method.targets.base import Fresh, Target, TargetConfig


class Config(TargetConfig):
    """The online target has no keys."""

    name: Literal["online"] = "online"


class Online(Target):
    """Final: t = sg(z)."""

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """The online projections without their gradient, [B, D]."""
        return z.detach()


def build(config: Config, online: nn.Module, fresh: Fresh, total: Total) -> Target:
    """The online target; it has no branch of its own."""
    return Online()
