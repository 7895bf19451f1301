"""Images of 16 bits whose content 8 bits would lose: `python -m benchmarks.grey16 FOLDER` writes them.

They are the glyphs of shapes in grey, darker on the left than on the right: the same gradient in all, since what an
image has of its own its views share, and learn instead of the glyphs. All values lie within some 200 of the 65,536
levels: in bytes every pixel of every image is the same. Train on FOLDER with `data.channels = 1`; docs/images.md
has the recipe, and docs/dev/lab-notes.md what came of it.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from dcp.data.datasets.shapes import GLYPHS, paint

BASE, INK, SLOPE, SIDE = 117 * 257, 0.4, 40, 32  # middle of a level of a byte; of a glyph's levels; half the gradient
COUNTS = {"train": 4096, "val": 1024}


def drawn(index: torch.Tensor, *, seed: int, test: bool) -> np.ndarray:
    """The images of `index` [B] as uint16 [B, SIDE, SIDE]."""
    grey = paint(index, key=(seed, int(test)), size=SIDE).double().mean(1) - 128
    place = torch.linspace(-1, 1, SIDE, dtype=torch.float64)  # from left to right
    return (BASE + INK * grey + SLOPE * place).round().clamp(0, 65535).numpy().astype(np.uint16)


def write(root: Path, seed: int = 0) -> None:
    """train/ and val/, with a folder for each kind of glyph."""
    for split, count in COUNTS.items():
        for part in torch.arange(count).split(256):
            for i, image in zip(part.tolist(), drawn(part, seed=seed, test=split == "val"), strict=True):
                path = root / split / [*GLYPHS][i % len(GLYPHS)].replace(" ", "_") / f"{i:05}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(image).save(path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    write(parser.parse_args().folder)
