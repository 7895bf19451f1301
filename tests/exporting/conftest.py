import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Forty images in two folders."""
    return drawn(tmp_path / "pictures", 40)


def drawn(folder: Path, count: int, size: tuple[int, int] = (50, 40)) -> Path:
    random = np.random.default_rng(0)
    for i in range(count):
        path = folder / ("cat", "dog")[i % 2] / f"{i:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (size[1], size[0], 3), np.uint8)).save(path)
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    os.environ.pop("DCP_DATA", None)
    return tmp_path
