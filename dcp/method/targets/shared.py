"""Shared: the online branch itself, with gradient (Chen, He 2021, section 4.1).

    t = z, with its gradient

Without a stop-gradient, the easiest way to agree is to map every image to the same point. With objectives that only
pull views together it is expected to collapse (also Tian, Chen, Ganguli 2021, section 3): use it to see that.
Contrastive and decorrelating objectives need it: `vicreg`, `barlow`, `ntxent`, `spectral_contrastive`, `balance`,
`peira`, `sigreg`, `visreg`, `ssl_ey`.

Look at: `spread`: with objectives that only pull views together it is expected to fall to 0.
Held to: value z and its gradient.
"""

from typing import ClassVar, Literal

from torch import Tensor, nn

from dcp.method.moments import Total
from dcp.method.targets.base import Fresh, Target, TargetConfig


class Config(TargetConfig):
    """The shared target has no keys."""

    gradient: ClassVar[bool] = True

    name: Literal["shared"] = "shared"


class Shared(Target):
    """Final: t = z."""

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """The online projections with their gradient, [B, D]."""
        return z


def build(config: Config, online: nn.Module, fresh: Fresh, total: Total) -> Target:
    """The shared target; it has no branch of its own."""
    return Shared()
