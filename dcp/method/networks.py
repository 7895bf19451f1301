"""Networks: the projector, and the branch of a backbone and a projector. B images in the batch, D projection size."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn


def projector(
    features: int,
    *,
    hidden: int,
    out: int,
    layers: int,
    norm: str,
    affine: bool,
    out_norm: bool,
    init_scale: float = 1.0,
) -> nn.Sequential:
    """An MLP [B, features] -> [B, out] of `layers` >= 1 linear layers: linear, norm, ReLU, ..., linear.

    The norms ("batch", "layer" or "none") have weight and bias if `affine`. With `out_norm` there is one without them
    behind the last layer too, as SimSiam has. The last layer's weights, not its bias, start at `init_scale` times what
    torch draws: the smaller, the nearer to each other are the projections of all images, at the bias.
    """
    kinds: dict[str, Callable[[int, bool], nn.Module]] = {
        "batch": lambda n, weights: nn.BatchNorm1d(n, affine=weights),
        "layer": lambda n, weights: nn.LayerNorm(n, elementwise_affine=weights),
        "none": lambda n, weights: nn.Identity(),
    }
    widths = [features, *[hidden] * (layers - 1)]
    stack: list[nn.Module] = []
    for before, after in pairwise(widths):
        stack += [nn.Linear(before, after), kinds[norm](after, affine), nn.ReLU()]
    last = nn.Linear(widths[-1], out)
    with torch.no_grad():
        last.weight *= init_scale
    stack.append(last)
    if out_norm:
        stack.append(kinds[norm](out, False))
    return nn.Sequential(*stack)


class Branch(nn.Module):
    """Backbone [B, C, H, W] -> [B, features] and projector [B, features] -> [B, D]."""

    def __init__(self, backbone: nn.Module, projector: nn.Sequential, channels: int = 3) -> None:
        super().__init__()
        self.backbone, self.projector, self.channels = backbone, projector, channels

    @property
    def features(self) -> int:
        """Width of the backbone's features."""
        return self.projector[0].in_features  # type: ignore[return-value]

    def forward(self, x: Tensor) -> Tensor:
        """Projections [B, D] of the images x [B, C, H, W]."""
        return self.projector(self.backbone(x))  # type: ignore[no-any-return]
