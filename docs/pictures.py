"""The README's picture: images of the quickstart and the two views of each. `python -m docs.pictures` draws it anew."""

from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

from dcp.data.datasets import base
from dcp.data.views import apply
from dcp.recipe.recipe import Recipe

FILE = Path(__file__).parent / "images" / "quickstart.png"
ROWS = ("image", "view 1", "view 2")


def quickstart() -> Figure:
    """An image of each class, and its views in the first epoch of seed 0."""
    recipe = Recipe.read("quickstart", ())
    data = base.load(recipe.data, "pretrain")
    index = torch.arange(len(data.classes))
    assert isinstance(data.images, torch.Tensor)
    own = data.images[index]
    config = recipe.views.model_copy(update={"normalize": "none"})
    views = apply.random_views(own, index, config, seed=0, epoch=0, size=recipe.data.view_size)
    figure, axes = plt.subplots(len(ROWS), len(index), figsize=(10, 3.2), dpi=120, layout="constrained")
    for row, name, pixels in zip(axes, ROWS, (own / 255, *views), strict=True):
        row[0].set_ylabel(name, rotation=0, ha="right", va="center")
        for axis, image in zip(row, pixels, strict=True):
            axis.imshow(image.permute(1, 2, 0).clamp(0, 1), interpolation="nearest")
            axis.set(xticks=[], yticks=[])
    for axis, label in zip(axes[0], data.classes, strict=True):
        axis.set_title(label.replace(" ", "\n"), fontsize=9)
    return figure


def main() -> None:
    """Draw it into the folder of the docs."""
    FILE.parent.mkdir(exist_ok=True)
    quickstart().savefig(FILE)


if __name__ == "__main__":
    main()
