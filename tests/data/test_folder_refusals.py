import os
from pathlib import Path

import pytest

from dcp.data import image_folders
from dcp.data.datasets import base
from dcp.data.datasets.folder import Config
from dcp.errors import RequestError

SPLITS = ("pretrain", "train", "test")


def write(paint, root: Path, *files: str) -> Path:
    for seed, name in enumerate(files):
        paint(root / name, seed=seed)
    return root


def refusal(root: Path, split: str = "pretrain", **keys: object) -> RequestError:
    with pytest.raises(RequestError) as caught:
        base.load(Config(root=str(root), **keys), split)
    return caught.value


def test_a_folder_without_images_says_what_it_held_and_what_is_read(tmp_path):
    for i in range(14):
        (tmp_path / f"{i}.txt").touch()
    (tmp_path / "README").touch()
    error = refusal(tmp_path)
    assert error.slug == "no-images"
    assert "no images: it holds 14 .txt files, 1 file without an ending" in str(error)
    assert str(tmp_path) in str(error)
    assert all(ending in error.hint for ending in image_folders.EXTENSIONS)


def test_an_empty_folder_says_that_it_is_empty(tmp_path):
    assert "no images: it is empty" in str(refusal(tmp_path))


def test_a_split_without_images_names_the_split(tmp_path, paint):
    write(paint, tmp_path, "train/cat/a.png")
    (tmp_path / "val").mkdir()
    assert refusal(tmp_path).where == str(tmp_path / "val")


def test_a_missing_folder_and_a_file_in_its_place_are_told_apart(tmp_path, paint):
    missing = refusal(tmp_path / "no" / "such")
    assert (missing.slug, missing.where) == ("missing-folder", "data.root")
    assert f"{tmp_path / 'no' / 'such'} does not exist" in missing.message
    assert "is a file, not a folder" in refusal(paint(tmp_path / "a.png")).message


@pytest.mark.parametrize("split", SPLITS)
def test_classes_that_differ_are_named_before_training(tmp_path, paint, split):
    write(
        paint,
        tmp_path,
        "train/cat/a.png",
        "train/dog/b.png",
        "val/cat/c.png",
        "val/Dog/d.png",
        "val/emu/e.png",
    )
    error = refusal(tmp_path, split)
    assert error.slug == "classes-differ"
    assert "only in train/: dog\n" in error.hint
    assert "only in val/: Dog, emu\n" in error.hint
    assert f'root = "{(tmp_path / "train").as_posix()}"' in error.hint


def test_a_class_folder_without_images_is_no_class(tmp_path, paint):
    write(paint, tmp_path, "train/cat/a.png", "val/cat/b.png")
    (tmp_path / "train" / "emu").mkdir()
    assert base.load(Config(root=str(tmp_path)), "train").classes == ("cat",)


def test_loose_images_beside_class_folders_are_an_error_with_both_ways_out(tmp_path, paint):
    write(paint, tmp_path, "train/cat/a.png", "train/stray.png", "val/cat/b.png")
    error = refusal(tmp_path)
    assert error.slug == "mixed-folder"
    assert "class folders (1), for example stray.png" in error.message
    assert "Move them into a class folder" in error.hint


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_a_folder_that_may_not_be_read_is_named(tmp_path, paint):
    write(paint, tmp_path, "a/x.png")
    (tmp_path / "a").chmod(0)
    try:
        assert refusal(tmp_path).slug == "unreadable-folder"
    finally:
        (tmp_path / "a").chmod(0o755)


def test_a_folder_that_vanishes_while_it_is_read_is_an_error_not_a_traceback(tmp_path, monkeypatch):
    def vanish(_: bytes) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(image_folders.os, "scandir", vanish)
    error = refusal(tmp_path)
    assert (error.slug, error.message) == ("unreadable-folder", "cannot read a folder: Permission denied")


def test_asking_to_download_a_folder_is_refused(tmp_path):
    assert refusal(tmp_path, download=True).slug == "not-downloadable"


def test_imagenet_class_names_with_odd_bytes_still_give_text(tmp_path, paint):
    for split in ("train", "val"):
        folder = tmp_path / split / os.fsdecode(b"caf\xe9")
        try:
            folder.mkdir(parents=True)
        except OSError:
            pytest.skip("this file system takes valid text only")
        paint(folder / "a.png")
    (name,) = base.load(Config(root=str(tmp_path)), "test").classes
    assert name.encode()
