"""Image files for tests."""

from pathlib import Path

import numpy as np
from PIL import Image


def drawn(folder: Path, count: int, size: tuple[int, int] = (50, 40)) -> Path:
    random = np.random.default_rng(0)
    for i in range(count):
        path = folder / ("cat", "dog")[i % 2] / f"{i:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (size[1], size[0], 3), np.uint8)).save(path)
    return folder
