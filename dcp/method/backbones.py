"""Backbones by name: ResNets at any width with a stem for small images, and all models of torchvision and timm."""

import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal, TypeAlias

import timm
import torch
import torchvision
from torch import Tensor, nn

from dcp.errors import RequestError, near_names, squeezed
from dcp.method.weights import HEADS

Stem = Literal["imagenet", "small", "small-stride2", "cifar-pad2"]
Block: TypeAlias = type[torchvision.models.resnet.BasicBlock] | type[torchvision.models.resnet.Bottleneck]

OF_ANY_SIZE = "resnet18, resnet50 and timm/vit_small_patch16_224 take images of most sizes"
OF_ANY_NUMBER = "resnet18, resnet50 and timm/vit_small_patch16_224 take images of any number of channels"
WITHOUT_HEADS = "timm/inception_v3, timm/inception_v4 (images of 75 pixels or more), resnet18 or resnet50"


class NarrowResNet(torchvision.models.ResNet):
    """torchvision's ResNet with all channel counts scaled by width / 64; width 64 is torchvision's own, key for key."""

    def __init__(
        self, block: Block, layers: list[int], *, width: int, norm_layer: Callable[[int], nn.Module], channels: int = 3
    ) -> None:
        self.width, self.channels = width, channels
        super().__init__(block, layers, norm_layer=norm_layer)

    def _make_layer(self, block: Block, planes: int, *rest: Any, **options: Any) -> nn.Sequential:
        if planes == 64:  # the first of four calls: the stem has just been made, at torchvision's fixed width
            self.inplanes = self.width
            self.conv1 = nn.Conv2d(self.channels, self.width, kernel_size=7, stride=2, padding=3, bias=False)
            self.bn1 = self._norm_layer(self.width)
        return super()._make_layer(block, planes * self.width // 64, *rest, **options)


RESNETS: dict[str, tuple[Block, list[int]]] = {
    "resnet10": (torchvision.models.resnet.BasicBlock, [1, 1, 1, 1]),  # not torchvision's: one block a stage
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
    name: str,
    *,
    stem: Stem,
    width: int,
    norm: Literal["batch", "group"],
    image_size: int,
    channels: int = 3,
    local_size: int | None = None,
) -> tuple[nn.Module, int]:
    """A network [B, C, H, W] -> [B, features] without its classifier, and the number of its features.

    Args:
        name: a ResNet ("resnet18", "resnet10"), any other model of torchvision ("torchvision/vit_b_16") or of timm
            ("vit_small_patch16_224", "timm/resnet18").
        stem: "imagenet" (7x7 stride 2, max-pool), "small" (3x3 stride 1, no pool; the papers' CIFAR network),
            "small-stride2" (the same with stride 2, a quarter of its arithmetic) or "cifar-pad2" (as "small" with
            padding 2: solo-learn's, 34x34 maps for 32-pixel images).
        width: channels of a ResNet's stem.
        norm: "batch", or "group" for a network in which images do not see each other.
        image_size: side of the views in pixels; only vision transformers need it.
        channels: C, of the images.
        local_size: side of the local views in pixels, which the network has to take too; None without them. Vision
            transformers of timm then interpolate their position embeddings (`dynamic_img_size`).

    Raises:
        RequestError: no such model, or an option, a number of channels or a size that this model does not have.
    """
    if name in RESNETS:
        return _resnet(name, stem, width, norm, channels)
    if (stem, width, norm) != ("imagenet", 64, "batch"):
        raise RequestError(
            f'network.stem, width and norm are for {", ".join(RESNETS)}; "{name}" is taken as it is',
            slug="bad-network",
            hint='leave them out, or choose one of the ResNets, e.g. network.backbone = "resnet18"',
        )
    library, _, model = name.rpartition("/")
    if library == "torchvision":
        net, features = _torchvision(model, image_size, channels)
    else:
        net, features = _timm(model, image_size, channels, other_sizes=local_size not in (None, image_size))
    if local_size is not None:
        _features(net, model, local_size, channels, "views.local.size")
    return net, features


def _resnet(name: str, stem: Stem, width: int, norm: str, channels: int) -> tuple[nn.Module, int]:
    block, layers = RESNETS[name]
    norm_layer = group_norm if norm == "group" else nn.BatchNorm2d
    net = NarrowResNet(block, layers, width=width, norm_layer=norm_layer, channels=channels)
    if stem != "imagenet":
        stride, padding = (2 if stem == "small-stride2" else 1), (2 if stem == "cifar-pad2" else 1)
        net.conv1 = nn.Conv2d(channels, width, kernel_size=3, stride=stride, padding=padding, bias=False)
        net.maxpool = nn.Identity()  # type: ignore[assignment]
    # the stem may have been replaced after torchvision initialised its own; same rule as there (He et al. 2015)
    nn.init.kaiming_normal_(net.conv1.weight, mode="fan_out", nonlinearity="relu")
    net.fc = nn.Identity()  # type: ignore[assignment]
    return net, 8 * width * block.expansion


def _torchvision(model: str, image_size: int, channels: int) -> tuple[nn.Module, int]:
    models = torchvision.models.list_models(module=torchvision.models)
    if model not in models:
        raise _unknown(model, models)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # two models announce that their start will be another one day
        try:
            net = torchvision.models.get_model(model, weights=None, image_size=image_size)
        except TypeError:  # convolutional models have no image size
            net = torchvision.models.get_model(model, weights=None)
    for head in HEADS:
        if hasattr(net, head):
            setattr(net, head, Pooled())
    if getattr(net, "aux_logits", False):
        raise _unfit(model, "has auxiliary heads, which have no part here", f"take one without them: {WITHOUT_HEADS}")
    if channels != 3:
        _take_channels(net, model, channels)
    return net, _features(net, model, image_size, channels)


def _take_channels(net: nn.Module, model: str, channels: int) -> None:
    """Put a convolution of so many channels in place of the first, whose start keeps the deviation of its outputs.

    Raises:
        RequestError: "bad-network", the model does not begin with a convolution of 3 channels.
    """
    name, first = next(
        ((name, part) for name, part in net.named_modules() if isinstance(part, nn.Conv2d | nn.Linear)), ("", None)
    )
    if not isinstance(first, nn.Conv2d) or (first.in_channels, first.groups) != (3, 1):
        raise _unfit(model, f"takes images of 3 channels, and these have {channels}", OF_ANY_NUMBER)
    options: dict[str, Any] = {key: getattr(first, key) for key in ("kernel_size", "stride", "padding", "dilation")}
    kind, bias, weight = type(first), first.bias, first.weight
    new = kind(channels, first.out_channels, bias=bias is not None, padding_mode=first.padding_mode, **options)
    with torch.no_grad():
        new.weight.normal_(std=float(weight.std()) * (3 / channels) ** 0.5)
        if bias is not None and new.bias is not None:
            new.bias.copy_(bias)
    above, _, last = name.rpartition(".")
    setattr(net.get_submodule(above), last, new)


class Pooled(nn.Module):
    """In place of a classifier: some pool their maps [B, C, H, W] themselves, others are given vectors [B, C]."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C]."""
        return x.flatten(2).mean(2) if x.ndim == 4 else x


@torch.no_grad()
def _features(net: nn.Module, model: str, image_size: int, channels: int, key: str = "data.image_size") -> int:
    """How many features the model gives for an image of this size."""
    try:
        y = net.eval()(torch.zeros(2, channels, image_size, image_size))
        net.train()
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        way_out = f"choose another {key}, or another model: {OF_ANY_SIZE}"
        raise _unfit(model, f"cannot take images of {image_size} pixels: {reason}", way_out) from None
    if not isinstance(y, Tensor) or y.ndim != 2:
        raise _unfit(model, "does not give one vector an image", f"choose another model: {OF_ANY_SIZE}")
    return int(y.shape[1])


def _unfit(model: str, why: str, way_out: str) -> RequestError:
    what = f'the backbone "{model}" {why}'
    return RequestError(what, slug="bad-network", where="network.backbone", hint=way_out)


def _timm(model: str, image_size: int, channels: int, *, other_sizes: bool) -> tuple[nn.Module, int]:
    if not timm.is_model(model):
        raise _unknown(model, [*RESNETS, *timm.list_models()])
    options: dict[str, Any] = {"num_classes": 0} | ({} if channels == 3 else {"in_chans": channels})
    if other_sizes:
        with suppress(TypeError):  # models whose size is not a matter of position embeddings
            net = timm.create_model(model, **options, img_size=image_size, dynamic_img_size=True)
            return net, _features(net, model, image_size, channels)
    try:
        net = timm.create_model(model, **options, img_size=image_size)
    except TypeError:  # convolutional models have no image size
        try:
            net = timm.create_model(model, **options)
        except (TypeError, ValueError, AssertionError):
            if channels == 3:
                raise
            raise _unfit(model, f"takes images of 3 channels, and these have {channels}", OF_ANY_NUMBER) from None
    return net, _features(net, model, image_size, channels)


def _unknown(model: str, known: list[str]) -> RequestError:
    others = [f"torchvision/{name}" for name in torchvision.models.list_models(module=torchvision.models)]
    names = [*near_names(model, known), *(name for name in known if name.startswith(model.lower() or "?"))]
    if squeezed(model) not in map(squeezed, known):
        names = [*(name for name in others if squeezed(name) == squeezed(f"torchvision/{model}")), *names]
    names = list(dict.fromkeys(names))[:3]
    hint = f"did you mean {', '.join(names)}?\n" if names else ""
    hint += "any model of torchvision or timm will do: resnet18, torchvision/NAME, timm/NAME"
    return RequestError(f'no backbone called "{model}"', slug="unknown-backbone", where="network.backbone", hint=hint)
