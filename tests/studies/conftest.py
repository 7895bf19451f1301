"""A study that trains in seconds."""

from pathlib import Path

import pytest

TINY = """\
extends = "tiny/directcopy"

[data]
source = "shapes"
images = 64
test_images = 32

[network]
width = 8

[train]
epochs = 2
batch = 32
log_every = 1

[probe]
after = ["knn"]
knn = { k = 5 }

[study]
seeds = [0, 1]

[study.axes]
optimizer.lr = [0.03, 0.1]
predictor.eps = [0.1, 0.3]
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """The file of a study of two axes and two seeds: eight runs of four steps."""
    path = tmp_path / "little.toml"
    path.write_text(TINY)
    return path
