"""Networks: a backbone by name, a stem for small images, the projector, and the branch of both.

Shapes: B images in the batch, D projection size.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import timm
import torch
import torchvision
from torch import Tensor, nn

from dcp.errors import RequestError

Stem = Literal["imagenet", "small", "cifar-pad2"]
Block: TypeAlias = type[torchvision.models.resnet.BasicBlock] | type[torchvision.models.resnet.Bottleneck]


class NarrowResNet(torchvision.models.ResNet):
    """torchvision's ResNet with all channel counts scaled by width / 64; width 64 is torchvision's own, key for key.

    Args:
        block, layers: as torchvision's.
        width: channels of the stem.
        norm_layer: builds the normalisation of a number of channels.
    """

    def __init__(self, block: Block, layers: list[int], *, width: int, norm_layer: Callable[[int], nn.Module]) -> None:
        self.width = width
        super().__init__(block, layers, norm_layer=norm_layer)

    def _make_layer(self, block: Block, planes: int, *rest: Any, **options: Any) -> nn.Sequential:
        if planes == 64:  # the first of four calls: the stem has just been made, at torchvision's fixed width
            self.inplanes = self.width
            self.conv1 = nn.Conv2d(3, self.width, kernel_size=7, stride=2, padding=3, bias=False)
            self.bn1 = self._norm_layer(self.width)
        return super()._make_layer(block, planes * self.width // 64, *rest, **options)


RESNETS: dict[str, tuple[Block, list[int]]] = {
    "resnet18": (torchvision.models.resnet.BasicBlock, [2, 2, 2, 2]),
    "resnet34": (torchvision.models.resnet.BasicBlock, [3, 4, 6, 3]),
    "resnet50": (torchvision.models.resnet.Bottleneck, [3, 4, 6, 3]),
    "resnet101": (torchvision.models.resnet.Bottleneck, [3, 4, 23, 3]),
    "resnet152": (torchvision.models.resnet.Bottleneck, [3, 8, 36, 3]),
}


def group_norm(channels: int) -> nn.Module:
    """Group norm of up to 32 groups: batch norm's stand-in where images must not see each other.

    A group has at least 8 channels where there are as many: two channels of a 1x1 map would be made ±1 whatever
    they are, and rounding errors grew into the third digit of the loss within a step.
    """
    groups = (g for g in (32, 16, 8, 4, 2, 1) if channels % g == 0 and (channels // g >= 8 or g == 1))
    return nn.GroupNorm(max(groups), channels)


def backbone(
    name: str, *, stem: Stem, width: int, norm: Literal["batch", "group"], image_size: int
) -> tuple[nn.Module, int]:
    """A network [B, 3, H, W] -> [B, features] without its classifier, and the number of its features.

    Args:
        name: a ResNet of torchvision ("resnet18"), any other model of torchvision ("torchvision/vit_b_16") or of timm
            ("vit_small_patch16_224", "timm/resnet18").
        stem: "imagenet" (7x7 stride 2, max-pool), "small" (3x3 stride 1, no pool; the papers' CIFAR network) or
            "cifar-pad2" (as "small" with padding 2: solo-learn's, 34x34 maps for 32-pixel images).
        width: channels of a ResNet's stem.
        norm: "batch", or "group" for a network in which images do not see each other.
        image_size: side of the views in pixels; only vision transformers need it.

    Raises:
        RequestError: no such model, or an option that this model does not have.
    """
    if name in RESNETS:
        return _resnet(name, stem, width, norm)
    if (stem, width, norm) != ("imagenet", 64, "batch"):
        raise RequestError(
            f'network.stem, width and norm are for {", ".join(RESNETS)}; "{name}" is taken as it is',
            slug="bad-network",
            hint='leave them out, or choose one of the ResNets, e.g. network.backbone = "resnet18"',
        )
    library, _, model = name.rpartition("/")
    return _torchvision(model) if library == "torchvision" else _timm(model, image_size)


def _resnet(name: str, stem: Stem, width: int, norm: str) -> tuple[nn.Module, int]:
    block, layers = RESNETS[name]
    norm_layer = group_norm if norm == "group" else nn.BatchNorm2d
    net = NarrowResNet(block, layers, width=width, norm_layer=norm_layer)
    if stem != "imagenet":
        padding = 2 if stem == "cifar-pad2" else 1
        net.conv1 = nn.Conv2d(3, width, kernel_size=3, stride=1, padding=padding, bias=False)
        net.maxpool = nn.Identity()  # type: ignore[assignment]
    # the stem may have been replaced after torchvision initialised its own; same rule as there (He et al. 2015)
    nn.init.kaiming_normal_(net.conv1.weight, mode="fan_out", nonlinearity="relu")
    net.fc = nn.Identity()  # type: ignore[assignment]
    return net, 8 * width * block.expansion


def _torchvision(model: str) -> tuple[nn.Module, int]:
    if model not in torchvision.models.list_models(module=torchvision.models):
        raise _unknown(model, torchvision.models.list_models(module=torchvision.models))
    net = torchvision.models.get_model(model, weights=None)
    for head in ("fc", "heads", "head", "classifier"):
        if hasattr(net, head):
            setattr(net, head, nn.Identity())
    with torch.no_grad():
        features = net.eval()(torch.zeros(1, 3, 224, 224)).shape[-1]
    return net.train(), int(features)


def _timm(model: str, image_size: int) -> tuple[nn.Module, int]:
    if not timm.is_model(model):
        raise _unknown(model, [*RESNETS, *timm.list_models()])
    try:
        net = timm.create_model(model, num_classes=0, img_size=image_size)
    except TypeError:  # convolutional models have no image size
        net = timm.create_model(model, num_classes=0)
    features: Any = net.num_features
    return net, int(features)


def _unknown(model: str, known: list[str]) -> RequestError:
    from difflib import get_close_matches

    near = ", ".join(get_close_matches(model, known, n=3))
    hint = f"did you mean {near}?" if near else "any model name of torchvision or timm will do, e.g. resnet18"
    return RequestError(f'no backbone called "{model}"', slug="unknown-backbone", where="network.backbone", hint=hint)


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

    def __init__(self, backbone: nn.Module, projector: nn.Module) -> None:
        super().__init__()
        self.backbone: nn.Module = backbone
        self.projector: nn.Module = projector

    def forward(self, x: Tensor) -> Tensor:
        """Projections [B, D] of the images x [B, 3, H, W]."""
        return self.projector(self.backbone(x))  # type: ignore[no-any-return]
