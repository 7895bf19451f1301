"""What training reads before it begins: what is said meanwhile."""

import io
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dcp.data import shard_index
from dcp.data.datasets import base
from dcp.hardware.processes import Process
from dcp.recipe.recipe import Recipe
from dcp.training import sources
from dcp.training.request import Request


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """Of three tar files of images, whose index has not been made."""
    monkeypatch.setattr(shard_index, "PATIENCE_S", -1.0)
    monkeypatch.setattr(shard_index, "PATIENCE_SHARE", 0.0)
    folder = tmp_path / "set/train"
    folder.mkdir(parents=True)
    content = io.BytesIO()
    Image.fromarray(np.arange(768, dtype=np.uint16).astype(np.uint8).reshape(16, 16, 3)).save(content, "png")
    for number in range(3):
        with tarfile.open(folder / f"{number}.tar", "w") as tar:
            for i in range(8):
                info = tarfile.TarInfo(f"{number}-{i}.png")
                info.size = len(content.getvalue())
                tar.addfile(info, io.BytesIO(content.getvalue()))
    root = f'data.root="{tmp_path / "set"}"'
    return Recipe.read("tiny/directcopy", ("data.source=shards", root, "data.image_size=16", "train.readout=false"))


def test_the_user_is_told_how_far_an_index_is_where_standard_error_is_no_terminal(recipe, capsys) -> None:
    said: list[str] = []
    images = sources.images(recipe, Request(say=said.append), None, Process("cpu"))
    assert len(images) == 24
    assert [text.rpartition(": ")[2] for text in said] == ["1 of 3", "2 of 3", "3 of 3"]
    assert all("index of the tar files in " in text for text in said)
    assert capsys.readouterr() == ("", "")


def test_without_a_listener_a_terminal_is_told_and_a_log_is_not(recipe, capsys, monkeypatch) -> None:
    for terminal in (False, True):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal)
        base.load(recipe.data, "pretrain")
        assert capsys.readouterr().err.count(" of 3\n") == 3 * terminal
        for index in Path(recipe.data.root).rglob(shard_index.FILE):
            index.unlink()
