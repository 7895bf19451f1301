"""Networks: the projector, and the branch of a backbone and a projector.

Shapes: B images in the batch, D projection size.
"""

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor, nn


def projector(
    features: int, *, hidden: int, out: int, layers: int, norm: str, affine: bool, out_norm: bool
) -> nn.Sequential:
    """An MLP [B, features] -> [B, out]: linear, norm, ReLU, ..., linear.

    The small-data runs of the papers have two layers, hidden 512, out 128, biases, and batch norm without affine
    weights.

    Args:
        features: D of the backbone.
        hidden: width between the layers.
        out: D.
        layers: number of linear layers, >= 1.
        norm: "batch", "layer" or "none", after each linear layer but the last.
        affine: whether the norms have weight and bias.
        out_norm: a norm without affine weights after the last layer too, as SimSiam has.
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
    stack.append(nn.Linear(widths[-1], out))
    if out_norm:
        stack.append(kinds[norm](out, False))
    return nn.Sequential(*stack)


class Branch(nn.Module):
    """Backbone and projector: [B, 3, H, W] -> [B, D].

    Args:
        backbone: [B, 3, H, W] -> [B, features].
        projector: [B, features] -> [B, D].
    """

    def __init__(self, backbone: nn.Module, projector: nn.Sequential) -> None:
        super().__init__()
        self.backbone: nn.Module = backbone
        self.projector: nn.Sequential = projector

    @property
    def features(self) -> int:
        """Width of the backbone's features."""
        first = self.projector[0]
        assert isinstance(first, nn.Linear)
        return first.in_features

    def forward(self, x: Tensor) -> Tensor:
        """Projections [B, D] of the images x [B, 3, H, W]."""
        return self.projector(self.backbone(x))  # type: ignore[no-any-return]
