"""timm: a folder that `timm.create_model("local-dir:DIR", pretrained=True, num_classes=0)` loads.

config.json and model.safetensors as timm and Hugging Face's tools read them, also from the Hub ("hf-hub:USER/NAME").
timm's ResNets have a stem of 64 channels, 7x7 with stride 2, and batch norm, or group norm of groups of their own:
other ones cannot be carried.
"""

import contextlib
import json
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import timm
from torch import nn

from dcp.exporting.formats.base import Exported, Subject, cannot, check, difference
from dcp.method.backbones import RESNETS

PACKAGES, EXTRA, LIBRARY = (), "", "timm"
OFF = 1e-5
OWN_TRANSFORM = "timm.data.create_transform(**timm.data.resolve_data_config({}, model=encoder))"


def crop_pct(size: int, kept: float) -> float:
    """The share of the short side by which timm, which rounds size / share down, resizes to what dcp resizes to.

    >>> int(32 / crop_pct(32, 0.875)), round(32 / 0.875)
    (37, 37)
    """
    return kept if kept == 1 else size / (round(size / kept) + 0.25)


def write(subject: Subject) -> Exported:
    """The files.

    Raises:
        RequestError: "cannot-export".
        RunError: "export-differs".
    """
    architecture, arguments = _architecture(subject)
    kept = {"crop_pct": crop_pct(subject.size, subject.kept), "crop_mode": "center", "interpolation": "bilinear"}
    config = {
        "architecture": architecture,
        "num_classes": 0,
        "num_features": subject.features,
        "model_args": arguments,
        "preprocessing": subject.preprocessing(),
        **({"starting_weights": subject.start} if subject.start else {}),
        "pretrained_cfg": {
            "architecture": architecture,
            "input_size": [subject.channels, subject.size, subject.size],
            "mean": subject.mean,
            "std": subject.std,
            **kept,
            "num_classes": 0,
            "license": "unknown",
        },
    }
    files = {"config.json": json.dumps(config, indent=2).encode() + b"\n", "model.safetensors": subject.weights()}
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            (Path(folder) / name).write_bytes(data)
        try:
            with _quiet():
                model: nn.Module = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0).eval()
        except (RuntimeError, ValueError, TypeError) as error:
            if "torchvision/" not in subject.recipe.network.backbone:
                raise
            why = f"timm's {architecture} is another network ({str(error).splitlines()[0].strip()[:80]})"
            raise cannot("timm", why, subject) from None
        check("timm", difference(subject, model), OFF, subject)
    limits = ["Without `pretrained=True` timm gives random weights."]
    imports, transform = "import timm\n", [f"transform = {OWN_TRANSFORM}"]
    if not subject.is_plain:
        imports = "import numpy as np, timm, torch\nfrom torchvision.transforms import v2\n"
        transform = ["", *subject.by_hand(), ""]
        limits.append("timm's own transform does not scale such images as in training: take the one above.")
    else:
        limits.append("timm resizes with Pillow, dcp with torch: a pixel may differ by 1/255.")
        if subject.kept < 1:
            limits.append(
                "dcp only crops images whose short side is the encoder's own already; timm's transform resizes them."
            )
    lines = [
        imports,
        'encoder = timm.create_model("local-dir:DIR", pretrained=True, num_classes=0).eval()',
        *transform,
        f"features = encoder(transform(image)[None])  # image: {subject.kind}; features: [1, {subject.features}]",
    ]
    return Exported(files, "\n".join(lines), tuple(limits))


def _architecture(subject: Subject) -> tuple[str, dict[str, Any]]:
    """Name and arguments of timm's model."""
    network = subject.recipe.network
    arguments: dict[str, Any] = {} if subject.channels == 3 else {"in_chans": subject.channels}
    if network.backbone in RESNETS:
        if network.stem != "imagenet":
            raise cannot("timm", f'its ResNets have no stem like network.stem = "{network.stem}"', subject)
        if network.width != 64:
            raise cannot("timm", f"its ResNets begin with 64 channels, and network.width is {network.width}", subject)
        if network.norm != "batch":
            raise cannot("timm", f'its ResNets have no norm like network.norm = "{network.norm}"', subject)
        if network.backbone == "resnet10":
            return "resnet18", {"layers": list(RESNETS["resnet10"][1]), **arguments}
        return network.backbone, arguments
    library, _, name = network.backbone.rpartition("/")
    if not timm.is_model(name):
        raise cannot("timm", f"it has no model of this name, which is {library}'s", subject)
    if library != "torchvision":
        try:  # as it was built: vision transformers need the side of the images
            timm.create_model(name, num_classes=0, img_size=subject.size)
            arguments["img_size"] = subject.size
        except TypeError:  # convolutional models have no image size
            pass
    return name, arguments


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what timm logs of a model whose channels are not three."""
    logger = logging.getLogger("timm")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
