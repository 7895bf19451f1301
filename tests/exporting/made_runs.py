"""Runs whose encoder is an untrained network, and the Python in the cards of what is exported of them."""

import re
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from dcp.method import weights
from dcp.recipe import build
from dcp.recipe.recipe import Recipe
from dcp.runs import encoder
from dcp.runs.run import Run

RESNET = {"backbone": "resnet18", "projector": {"hidden": 16, "out": 8}}


def made(
    root: Path,
    *,
    data: dict[str, Any] | None = None,
    name: str = "made",
    views: dict[str, Any] | None = None,
    known: dict[str, Any] | None = None,
    recorded: dict[str, Any] | None = None,
    sections: dict[str, Any] | None = None,
    **network: Any,
) -> Path:
    """The folder of a run whose encoder is the untrained network, with batch statistics of its own.

    Args:
        root: where runs are.
        data: the section of the recipe.
        name: of the run.
        views: the section of the recipe.
        known: what its record says of the data.
        recorded: what else its record says.
        sections: other sections of the recipe.
        network: keys of the section.
    """
    table = {
        "run": {"name": name},
        "data": data or {"source": "shapes"},
        "network": {**RESNET, **network},
        "views": views or {"normalize": "imagenet"},
        "predictor": {"name": "directcopy"},
        **(sections or {}),
    }
    recipe = Recipe.of(table)
    record = {"status": "done", "steps": 1, "data": {"n": 10, **(known or {})}, **(recorded or {})}
    run = Run.create(root, name, 0, recipe.toml(), record)
    backbone = build.at_start(recipe).backbone
    for module in backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    encoder.save(run, backbone, recipe, step=1)
    return run.path


def rescaled(run: Path, value: float) -> Path:
    """The same run; each weight of the last norm of its encoder is `value`, and the checksum is that of the file."""
    path = run / encoder.FILE
    tensors, header = weights.read(path, most=10**9)
    name = [name for name in tensors if name.endswith("bn2.weight")][-1]
    path.write_bytes(weights.content({**tensors, name: torch.full_like(tensors[name], value)}, header))
    return run


def in_readme(folder: Path, image: Image.Image | None = None, **given: Any) -> dict[str, Any]:
    """What the Python in the model card leaves behind."""
    (code,) = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {"image": image, **given}
    with torch.inference_mode():
        exec(code, names)
    return names
