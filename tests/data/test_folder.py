import os
from pathlib import Path

import pytest
import torch

from dcp.data import image_folders
from dcp.data.datasets import base
from dcp.data.datasets.folder import Config
from dcp.errors import RequestError

SPLITS = ("pretrain", "train", "test")


def names(data: base.Dataset) -> list[str]:
    return [data.images.path(i).relative_to(data.images.root).as_posix() for i in range(len(data))]


def write(paint, root: Path, *files: str) -> Path:
    for seed, name in enumerate(files):
        paint(root / name, seed=seed)
    return root


def refusal(root: Path, split: str = "pretrain", **keys: object) -> RequestError:
    with pytest.raises(RequestError) as caught:
        base.load(Config(root=str(root), **keys), split)
    return caught.value


@pytest.mark.parametrize("held_out", ["val", "test"])
def test_class_folders_of_train_and_of_the_held_out_part_become_labels(tmp_path, paint, held_out):
    write(paint, tmp_path, "train/dog/a.png", "train/cat/deep/er/b.png", "train/cat/c.png", f"{held_out}/dog/d.png")
    write(paint, tmp_path, f"{held_out}/cat/e.png")
    pretrain, train, test = (base.load(Config(root=str(tmp_path)), split) for split in SPLITS)
    assert names(pretrain) == names(train) == ["cat/c.png", "cat/deep/er/b.png", "dog/a.png"]
    assert (train.labels.tolist(), train.labels.dtype) == ([0, 0, 1], torch.int64)
    assert train.classes == test.classes == ("cat", "dog")
    assert (names(test), test.labels.tolist()) == (["cat/e.png", "dog/d.png"], [0, 1])
    assert train.images.decode(2).shape == (3, 6, 8)


def test_the_keys_tell_whether_there_are_labels_as_reading_the_images_does(tmp_path, paint):
    assert Config(root=str(tmp_path / "none")).labelled()  # it may come
    for name, *files in (
        ("loose", "train/a.png", "val/b.png"),
        ("any", "cat/a.png", "dog/b.png"),
        ("no-test", "train/cat/a.png"),
        ("classes", "train/.hidden.png", "train/cat/a.png", "val/cat/b.png"),
    ):
        root = write(paint, tmp_path / name, *files)
        (root / "train").mkdir(exist_ok=True)
        (root / "train/readme.txt").write_text("no image")
        config = Config(root=str(root))
        assert config.labelled() == (base.load(config, "train").labels is not None) == (name == "classes")


def test_val_is_the_test_split_where_both_val_and_test_exist(tmp_path, paint):
    write(paint, tmp_path, "train/cat/a.png", "val/cat/b.png", "test/c.png")
    assert names(base.load(Config(root=str(tmp_path)), "test")) == ["cat/b.png"]


@pytest.mark.parametrize("split", SPLITS)
def test_a_folder_without_splits_is_read_to_any_depth_without_labels(tmp_path, paint, split):
    write(paint, tmp_path, "b.png", "a/z.jpg", "a/b/c/d/e.webp", "train/only.png")
    data = base.load(Config(root=str(tmp_path)), split)
    assert names(data) == ["a/b/c/d/e.webp", "a/z.jpg", "b.png", "train/only.png"]
    assert (data.labels, data.classes) == (None, ())


def test_splits_without_class_folders_are_unlabelled(tmp_path, paint):
    write(paint, tmp_path, "train/a.png", "train/b.png", "val/cat/c.png")
    train, test = (base.load(Config(root=str(tmp_path)), split) for split in ("train", "test"))
    assert (names(train), train.labels, train.classes) == (["a.png", "b.png"], None, ())
    assert (names(test), test.labels) == (["cat/c.png"], None)


def test_all_endings_are_read_in_any_case_and_nothing_else(tmp_path):
    for ending in (*image_folders.EXTENSIONS, "JPG", "JPEG", "Png", "txt", "npy", "jpg.part", "jpgx"):
        (tmp_path / f"x.{ending}").touch()
    (tmp_path / "jpg").touch()
    listed = image_folders.images(tmp_path)
    assert len(listed) == len(image_folders.EXTENSIONS) + 3


def test_hidden_files_hidden_folders_and_mac_companions_are_skipped(tmp_path, paint):
    write(paint, tmp_path, "a.png", ".hidden.png", ".cache/b.png")
    (tmp_path / "._a.png").write_bytes(b"resource fork")
    assert names(base.load(Config(root=str(tmp_path)), "pretrain")) == ["a.png"]


def test_a_hidden_root_is_read(tmp_path, paint):
    write(paint, tmp_path / ".data", "a.png")
    assert len(image_folders.images(tmp_path / ".data")) == 1


def test_the_order_is_that_of_the_paths_as_bytes_whatever_order_the_files_were_made_in(tmp_path):
    made = ["b/1.png", "a.png", "a/2.png", "a-b.png", "B.png", "ä.png", "a/10.png", "aa/0.png"]
    for name in made:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    listed = image_folders.images(tmp_path)
    assert [listed.name(i) for i in range(len(listed))] == sorted(os.fsencode(name) for name in made)


def test_links_in_a_circle_end_and_each_folder_is_read_once(tmp_path, paint):
    write(paint, tmp_path, "a/x.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "itself.png").symlink_to(tmp_path / "itself.png")
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere.png")
    assert names(base.load(Config(root=str(tmp_path)), "pretrain")) == ["a/x.png"]


def test_linked_files_and_linked_class_folders_are_followed(tmp_path, paint):
    real = write(paint, tmp_path / "real", "cat/a.png", "x.png")
    for split in ("train", "val"):
        (tmp_path / "data" / split / "dog").mkdir(parents=True)
        (tmp_path / "data" / split / "cat").symlink_to(real / "cat")
        (tmp_path / "data" / split / "dog" / "b.png").symlink_to(real / "x.png")
    data = base.load(Config(root=str(tmp_path / "data")), "train")
    assert (names(data), data.labels.tolist()) == (["cat/a.png", "dog/b.png"], [0, 1])


def test_scanning_asks_the_disk_once_a_folder_not_once_a_file(tmp_path, monkeypatch):
    for folder in range(5):
        (tmp_path / str(folder)).mkdir()
        for i in range(200):
            (tmp_path / str(folder) / f"{i}.jpg").touch()
    asked, stat = [], os.stat
    monkeypatch.setattr(image_folders.os, "stat", lambda *a, **k: asked.append(a) or stat(*a, **k))
    assert len(image_folders.images(tmp_path)) == 1000
    assert len(asked) < 20


# what is refused


def test_a_folder_without_images_says_that_it_is_empty_or_what_it_held_and_what_is_read(tmp_path):
    assert "no images: it is empty" in str(refusal(tmp_path))
    for i in range(14):
        (tmp_path / f"{i}.txt").touch()
    (tmp_path / "README").touch()
    error = refusal(tmp_path)
    assert error.slug == "no-images"
    assert "no images: it holds 14 .txt files, 1 file without an ending" in str(error)
    assert str(tmp_path) in str(error)
    assert all(ending in error.hint for ending in image_folders.EXTENSIONS)


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
    write(paint, tmp_path, "train/cat/a.png", "train/dog/b.png", "val/cat/c.png", "val/Dog/d.png", "val/emu/e.png")
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


def test_a_folder_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    def denied(_: bytes) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(image_folders.os, "scandir", denied)
    error = refusal(tmp_path)
    assert (error.slug, error.message) == ("unreadable-folder", "cannot read a folder: Permission denied")
    assert Path(error.where) == tmp_path


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
