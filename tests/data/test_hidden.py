"""What is hidden, empty or closed in folders of images is told."""

import contextlib
import os

import pytest

from dcp.data import image_names
from dcp.data.datasets import base
from dcp.data.datasets.folder import Config
from dcp.errors import RequestError, RunError


@pytest.fixture
def root(tmp_path, paint):
    """Two splits of two classes."""
    for split in ("train", "val"):
        for name in ("1", "2"):
            paint(tmp_path / split / name / "a.png")
    return tmp_path


def load(root, split="pretrain"):
    return base.load(Config(root=str(root)), split)


def test_hidden_images_and_those_in_hidden_folders_are_counted_and_told(root, paint):
    for name in (".5/a.png", "1/.sub/b.jpg", "1/.03.png", ".4/c.tif", "2/.x/y/z.png"):
        paint(root / "train" / name)
    (root / "train/1/.notes").write_text("no image")
    (root / "train/1/.#a.png").symlink_to("nowhere")
    data = load(root)
    assert (len(data), data.classes) == (2, ("1", "2"))
    assert data.images.left_out == {"hidden images": 6}
    assert f"not read in {root / 'train'}: 6 hidden images" in data.remarks


def test_litter_is_as_good_as_not_there(root, paint):
    litter = ("._a.png", ".DS_Store", ".ipynb_checkpoints/a.png", "__MACOSX/1/a.png", ".git/a.png", "@eaDir/a.png")
    for name in litter:
        for folder in ("train", "train/1"):
            paint((root / folder / name).with_suffix(".png")).rename(root / folder / name)
    data = load(root)
    assert (len(data), data.classes, data.images.left_out) == (2, ("1", "2"), {})
    assert data.remarks == ("2 classes; 2 test images in val/",)


def test_a_class_whose_images_are_all_hidden_is_named(root):
    (root / "train/2/a.png").rename(root / "train/2/.a.png")
    with pytest.raises(RequestError, match="a class folder without an image: it holds 1 hidden image") as caught:
        load(root)
    assert caught.value.where == str(root / "train/2")


def test_a_hidden_way_to_a_class_does_not_hide_it(root):
    (root / "train/.link").symlink_to("1")
    assert len(load(root)) == 2


def test_class_folders_that_are_empty_are_told(root):
    for name in ("train/emu", "val/emu", "train/.hidden", "val/fox/deep", "val/__MACOSX"):
        (root / name).mkdir(parents=True)
    data = load(root)
    assert data.classes == ("1", "2")
    assert data.remarks[1:] == ("empty, so no class, in train/: emu/", "empty, so no class, in val/: emu/, fox/")


def deny(monkeypatch, name, path):
    """Have a function of os be refused at a path, as it is to all but root."""
    asked = getattr(os, name)

    def refused(at, *args, **keys):
        if os.fsdecode(at) == str(path):
            raise PermissionError(13, "Permission denied", at)
        return asked(at, *args, **keys)

    monkeypatch.setattr(image_names.os, name, refused)


def test_a_folder_that_may_be_listed_and_not_entered_is_named(root, monkeypatch):
    deny(monkeypatch, "stat", f"{root / 'train/2'}/.")  # chmod 444
    with pytest.raises(RequestError, match="cannot read a folder: Permission denied") as caught:
        load(root)
    assert (caught.value.slug, caught.value.where) == ("unreadable-folder", str(root / "train/2"))


def test_a_root_that_may_not_be_looked_at_is_not_called_missing(root, monkeypatch):
    deny(monkeypatch, "stat", root / "train")
    with pytest.raises(RequestError, match="Permission denied") as caught:
        base.load(Config(root=str(root / "train")), "pretrain")
    assert caught.value.slug == "unreadable-folder"


def test_a_file_that_may_not_be_read_is_told_apart_from_one_that_has_gone(root, monkeypatch):
    deny(monkeypatch, "open", root / "train/1/a.png")
    with pytest.raises(RunError, match="cannot read an image: Permission denied") as caught:
        load(root).images.decode(0)
    assert (caught.value.slug, caught.value.hint) == ("broken-image", "Check its permissions and go on with --resume.")
    deny(monkeypatch, "stat", root / "train/1/a.png")
    with pytest.raises(RunError, match="cannot read an image: Permission denied"):
        load(root).images.size(0)


def test_a_link_to_where_nobody_may_look_is_no_link_to_nothing(root, monkeypatch):
    class Closed:
        name = b"b.png"

        def is_dir(self):
            raise PermissionError(13, "Permission denied")

        def is_symlink(self):
            return False

        def inode(self):
            return 1

    monkeypatch.setattr(image_names.os, "scandir", lambda path: contextlib.nullcontext([Closed()]))
    with pytest.raises(RequestError, match="an image is a link that leads where you may not look"):
        image_names.entries(root)
