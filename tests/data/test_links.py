"""Links in folders of images: no class is swallowed, and nothing is both trained on and tested on."""

import os

import pytest

from dcp.data.datasets import base
from dcp.data.datasets.folder import Config
from dcp.errors import RequestError


@pytest.fixture
def root(tmp_path, paint):
    """Two splits of three classes."""
    for split in ("train", "val"):
        for name in "123":
            paint(tmp_path / split / name / "a.png")
    return tmp_path


def refusal(root):
    found = []
    for split in ("pretrain", "test"):
        with pytest.raises(RequestError) as caught:
            base.load(Config(root=str(root)), split)
        found.append(caught.value)
    assert found[0].slug == found[1].slug == "linked-twice"
    return found[0]


@pytest.mark.parametrize("split", ["train", "val"])
def test_two_class_folders_that_are_one_are_refused(root, split):
    for each in ("train", "val"):
        (root / each / "0").symlink_to("3")
    error = refusal(root)
    assert error.message == "the same folder is in two classes"
    assert error.where == f"{root / 'train/0'} and {root / 'train/3'}"
    (root / "train/0").unlink()
    assert refusal(root).where == f"{root / 'val/0'} and {root / 'val/3'}"


def test_a_folder_of_one_class_that_is_linked_into_another_is_refused(root):
    (root / "train/1/more").symlink_to("../3")
    assert refusal(root).where == f"{root / 'train/1/more'} and {root / 'train/3'}"


def test_test_images_that_are_linked_into_the_training_images_are_refused(root):
    (root / "train/2/more").symlink_to("../../val/2")
    error = refusal(root)
    assert error.message == "the same folder is for training and for testing"
    assert error.where == f"{root / 'train/2/more'} and {root / 'val/2'}"


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_one_test_image_that_is_linked_into_the_training_images_is_refused(root, link):
    link(root / "val/2/a.png", root / "train/1/b.png")
    error = refusal(root)
    assert error.message == "the same image is for training and for testing"
    assert error.where == f"{root / 'train/1/b.png'} and {root / 'val/2/a.png'}"


def test_a_split_that_is_a_link_to_the_other_is_refused(root):
    (root / "val").rename(root / "old")
    (root / "val").symlink_to("train")
    assert refusal(root).where == f"{root / 'train'} and {root / 'val'}"


def test_a_link_back_to_the_whole_ends_and_takes_no_image_away(root):
    (root / "train/1/up").symlink_to("..")
    data = base.load(Config(root=str(root)), "train")
    assert data.labels.tolist() == [0, 1, 2]


def test_what_a_file_system_numbers_alike_without_being_one_is_not_refused(root, monkeypatch):
    monkeypatch.setattr("dcp.data.image_names._number", lambda entry, device: 7)
    assert len(base.load(Config(root=str(root)), "train")) == 3
