"""The list of test images leads from each prediction to its file, and is there before the scores."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dcp.data.datasets import base
from dcp.data.datasets.base import Dataset
from dcp.data.datasets.folder import Config
from dcp.data.image_lists import Files
from dcp.errors import escaped
from dcp.probing import images_list
from dcp.runs.run import Run

ODD = (b"\xff.png", b"\\.png", b"\n.png", b"\x85", "\x85".encode(), "\u03c1\u200d".encode())
NAMES = [b"a.png", *ODD, rb"\xff.png", rb"\n.png"]
UNESCAPED = re.compile(rb"\\(?:\\|x([0-9a-f]{2}))")


def led_back(line: str) -> bytes:
    """The name, as docs/run-folder.md says that it is written."""
    return UNESCAPED.sub(lambda found: bytes([int(found[1], 16)]) if found[1] else b"\\", line.encode())


def test_each_line_leads_back_to_one_name_and_can_be_shown(tmp_path: Path) -> None:
    run = Run.create(tmp_path, "x", 0, "", {})
    images_list.write(run, Dataset(Files.listed(tmp_path, [b"cat/" + name for name in NAMES])), "0" * 16)
    text = (run.path / f"probes/images-{'0' * 16}.txt").read_text(encoding="utf-8")
    lines = text.split("\n")
    assert lines.pop() == ""
    assert all(line.isprintable() for line in lines)
    assert [led_back(line) for line in lines] == [b"cat/" + name for name in NAMES]


def test_names_of_classes_lead_back_to_their_folders() -> None:
    assert [led_back(escaped(name)) for name in NAMES] == NAMES


def test_a_class_and_another_that_is_called_as_it_is_written_stay_two(tmp_path: Path) -> None:
    folders = [b"\xff", rb"\xff"]
    for split in ("train", "val"):
        for k, name in enumerate(folders):
            place = tmp_path / split / os.fsdecode(name)
            try:
                place.mkdir(parents=True)
            except OSError:
                pytest.skip("this file system takes valid text only")
            Image.fromarray(np.full((8, 8), k, dtype=np.uint8)).save(place / "a.png")
    classes = base.load(Config(root=str(tmp_path)), "train").classes
    assert {led_back(name) for name in classes} == {*folders}


def test_images_in_memory_have_no_list(tmp_path: Path) -> None:
    import torch

    run = Run.create(tmp_path, "x", 0, "", {})
    images_list.write(run, Dataset(torch.zeros(1, 3, 2, 2, dtype=torch.uint8)), "0" * 16)
    assert not (run.path / "probes").exists()
