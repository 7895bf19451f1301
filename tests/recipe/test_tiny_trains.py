"""Every recipe for tests trains: two steps from the command line, with whatever lies in recipes/tiny."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dcp.recipe import shipped
from dcp.runs.run import Run

TINY = [name for name in shipped.names() if name.startswith("tiny/")]
SMALL = ("data.images=128", "data.test_images=64", "train.epochs=1", "probe.after=[]", "run.name=tiny")


@pytest.mark.parametrize("name", TINY)
def test_every_tiny_recipe_trains(name: str, trained: Path, tmp_path: Path, dcp: Callable) -> None:
    teacher = [f"target.teacher={trained}"] if name == "tiny/distill" else []
    said = dcp("pretrain", name, *SMALL, *teacher, "--runs", tmp_path, "--quiet")
    assert said.code == 0, said.err
    assert Run.open(tmp_path / "tiny-s0").record.steps == 2
