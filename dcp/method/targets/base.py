"""What a target is: it projects the other view, without gradient, for the online branch to predict.

    t = target(x [B, 3, H, W], z [B, D])        z is the online projection of the same x
    target.update(online, fraction)             after the optimizer step; `fraction` in [0, 1] of the training is done,
                                                a 0-dim tensor where a CUDA graph replays the step

A variant is a file in `targets/` with a `Config` and `build(config, online, fresh, total) -> Target`: `online` is
the branch that learns, `fresh` makes another one with weights of its own, `total` adds a tensor up over processes.

Shapes: B images in the batch, D projection size.
"""

from collections.abc import Callable
from typing import ClassVar

from torch import Tensor, nn

from dcp.catalogue import VariantConfig
from dcp.method.schedules import Number

Fresh = Callable[[], nn.Module]


class TargetConfig(VariantConfig):
    """Keys of every target, which are none; and what it says of itself."""

    gradient: ClassVar[bool] = False  # the gradient flows through it, so that both branches learn
    given: ClassVar[bool] = False  # it never follows the online branch: what it teaches is there beforehand


class Target(nn.Module):
    """Abstract.

    Attributes:
        forward_waits: whether `forward` makes the host wait for a GPU, so that no CUDA graph can hold it.
    """

    forward_waits: bool = False

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """Projections t [B, D] of the images x [B, 3, H, W], without gradient unless the Config says otherwise."""
        raise NotImplementedError  # abstract: every file in targets/ has its own

    def update(self, online: nn.Module, fraction: Number) -> None:
        """Follow the online branch; a target without weights of its own does nothing."""

    def weight_of_past(self, fraction: Number) -> Number | None:
        """τ at this point of the training, or None where there is no moving average."""
        return None
