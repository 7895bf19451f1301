"""torchvision: the state dict of one of its models without the classifier, as safetensors, and how to load it.

Keys are torchvision's. A small stem, or other channels, is one more line of Python, which is told; a ResNet of another
width or with group norm cannot be made of torchvision's.
"""

import json
from collections.abc import Callable
from typing import Any

import torchvision
from torch import nn

from dcp.exporting.formats.base import Exported, Subject, cannot, check, difference, short
from dcp.method.backbones import RESNETS
from dcp.method.weights import HEADS

PACKAGES, EXTRA, LIBRARY = (), "", "pytorch"
OFF = 1e-5
IN_PLACE: dict[str, Callable[[], nn.Module]] = {"Identity()": nn.Identity, "Flatten()": nn.Flatten}


def write(subject: Subject) -> Exported:
    """The files.

    Raises:
        RequestError: "cannot-export".
        RunError: "export-differs".
    """
    lines, net = _built(subject)
    head = next((name for name in HEADS if hasattr(net, name)), "")
    if (in_place := head and _stands_in(net, head, subject)) is None or not head:
        raise cannot("torchvision", "no simple layer stands in for its classifier", subject)
    lines += [f"encoder.{head} = torch.nn.{in_place}", 'encoder.load_state_dict(load_file("DIR/model.safetensors"))']
    config = {
        "library": "torchvision",
        "model": subject.recipe.network.backbone.removeprefix("torchvision/"),
        "num_features": subject.features,
        "head": head,
        "preprocessing": subject.preprocessing(),
        **({"starting_weights": subject.start} if subject.start else {}),
    }
    files = {"config.json": json.dumps(config, indent=2).encode() + b"\n", "model.safetensors": subject.weights()}
    p = subject.preprocessing()
    colours = f"mean={short(p['mean'])}, std={short(p['std'])}"
    transform = [
        "transform = v2.Compose([",
        f"    v2.PILToTensor(), v2.Resize({p['resize_short_side']}, antialias=True),",
        f"    v2.CenterCrop({p['center_crop']}),",
        f"    v2.ToDtype(torch.float32, scale=True), v2.Normalize({colours}),",
        "])",
    ]
    load = "\n".join(
        [
            "import torch, torchvision" if subject.is_plain else "import numpy as np, torch, torchvision",
            "from safetensors.torch import load_file",
            "from torchvision.transforms import v2",
            "",
            *lines,
            "encoder.eval()",
            *(transform if subject.is_plain else ["", *subject.by_hand(), ""]),
            f"features = encoder(transform(image)[None])  # image: {subject.kind}; features: [1, {subject.features}]",
        ]
    )
    return Exported(files, load, ("The state dict has no classifier: the lines above take it out of the model first.",))


def _built(subject: Subject) -> tuple[list[str], nn.Module]:
    """The model as torchvision builds it, in Python and built."""
    network, channels = subject.recipe.network, subject.channels
    name = network.backbone.removeprefix("torchvision/")
    ours = network.backbone in RESNETS
    if ours and network.width != 64:
        why = f"its ResNets begin with 64 channels, and network.width is {network.width}"
        raise cannot("torchvision", why, subject)
    if ours and network.norm != "batch":
        why = f'network.norm = "{network.norm}" has groups that depend on the channels'
        raise cannot("torchvision", why, subject)
    known = torchvision.models.list_models(module=torchvision.models)
    if not ours and (name not in known or network.backbone == name):
        raise cannot("torchvision", "it is a model of timm's", subject)
    if name == "resnet10":
        block = torchvision.models.resnet.BasicBlock
        net: Any = torchvision.models.ResNet(block, [1, 1, 1, 1])
        lines = ["encoder = torchvision.models.ResNet(torchvision.models.resnet.BasicBlock, [1, 1, 1, 1])"]
    else:
        size = "" if ours else _size(name, subject.size)
        net = torchvision.models.get_model(name, weights=None, **({"image_size": subject.size} if size else {}))
        lines = [f'encoder = torchvision.models.get_model("{name}"{size})']
    if ours and (network.stem != "imagenet" or channels != 3):
        conv: Any = subject.encoder.backbone.conv1
        kernel, stride, padding = conv.kernel_size[0], conv.stride[0], conv.padding[0]
        net.conv1 = nn.Conv2d(channels, 64, kernel, stride, padding, bias=False)
        lines.append(f"encoder.conv1 = torch.nn.Conv2d({channels}, 64, {kernel}, {stride}, {padding}, bias=False)")
        if network.stem != "imagenet":
            net.maxpool = nn.Identity()
            lines.append("encoder.maxpool = torch.nn.Identity()")
    elif channels != 3:
        raise cannot("torchvision", f"its models take 3 channels, and data.channels is {channels}", subject)
    return lines, net


def _stands_in(net: nn.Module, head: str, subject: Subject) -> str | None:
    """What stands in for the classifier, so that the model gives the encoder's features; None if nothing simple does.

    Raises:
        RunError: "export-differs".
    """
    off, closest = float("nan"), None
    for name, module in IN_PLACE.items():
        setattr(net, head, module())
        net.load_state_dict(subject.encoder.backbone.state_dict())
        off = difference(subject, net.eval())
        closest = name if off == off else closest
        if off <= OFF:
            return name
    if closest is not None:
        check("torchvision", off, OFF, subject)
    return None


def _size(name: str, size: int) -> str:
    """The argument of a vision transformer."""
    try:
        torchvision.models.get_model(name, weights=None, image_size=size)
    except TypeError:  # convolutional models have no image size
        return ""
    return f", image_size={size}"
