import os
import unicodedata
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from dcp.data import image_folders
from dcp.data.datasets import base
from dcp.data.datasets.folder import Config
from dcp.errors import RequestError, RunError

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
        ("no-test", "train/cat/a.png", "train/dog/b.png"),
        ("one class", "train/cat/a.png", "train/cat/b.png", "val/cat/c.png"),
        ("classes", "train/.hidden.png", "train/cat/a.png", "train/dog/b.png", "val/cat/c.png", "val/dog/d.png"),
    ):
        root = write(paint, tmp_path / name, *files)
        if (root / "train").exists():
            (root / "train/readme.txt").write_text("no image")
        config = Config(root=str(root))
        assert config.labelled() == (base.load(config, "train").labels is not None) == (name == "classes")


@pytest.mark.parametrize(
    ("train", "held_out"),
    [("train", "valid"), ("Train", "Validation"), ("TRAIN", "Val"), ("training", "Test"), ("Training", "testing")],
)
def test_the_splits_are_known_by_all_their_usual_names_in_any_case(tmp_path, paint, train, held_out):
    write(paint, tmp_path, f"{train}/cat/a.png", f"{train}/dog/b.png", f"{held_out}/cat/c.png", f"{held_out}/dog/d.png")
    config = Config(root=str(tmp_path))
    assert [len(base.load(config, split)) for split in SPLITS] == [2, 2, 2]
    assert names(base.load(config, "test")) == ["cat/c.png", "dog/d.png"]
    assert config.labelled()


@pytest.mark.parametrize("beside", ["holdout/cat/c.png", "holdout/c.png", "c.png"])
def test_images_beside_the_training_images_are_refused_with_the_ways_out(tmp_path, paint, beside):
    write(paint, tmp_path, "train/cat/a.png", "train/dog/b.png", beside)
    error = refusal(tmp_path)
    assert (error.slug, error.where) == ("unknown-split", str(tmp_path))
    assert error.message == f"images lie beside train/: {'holdout/' if 'holdout' in beside else 'c.png'}"
    assert "Call their folder val or test" in error.hint
    assert f'data.root = "{tmp_path / "train"}"' in error.hint
    with pytest.raises(RequestError, match="beside train"):
        Config(root=str(tmp_path)).labelled()
    (tmp_path / beside).unlink()
    assert len(base.load(Config(root=str(tmp_path)), "pretrain")) == 2


def test_two_folders_for_one_split_are_refused_and_images_beside_both_splits_are_told(tmp_path, paint):
    write(paint, tmp_path, "train/cat/a.png", "train/dog/b.png", "val/cat/c.png", "val/dog/d.png", "masks/e.png")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/a.txt").touch()
    data = base.load(Config(root=str(tmp_path)), "pretrain")
    assert data.remarks == ("2 classes; 2 test images in val/", "not read beside train/ and val/: masks/")
    assert len(data) == 2
    write(paint, tmp_path, "validation/cat/c.png")
    error = refusal(tmp_path)
    assert (error.slug, error.message) == ("unknown-split", "val and validation are two folders for one split")


def test_one_class_is_no_class_and_says_so(tmp_path, paint):
    write(paint, tmp_path, "train/cat/a.png", "train/cat/b.png", "val/cat/c.png")
    train, test = (base.load(Config(root=str(tmp_path)), split) for split in ("train", "test"))
    assert [(data.labels, data.classes) for data in (train, test)] == [(None, ())] * 2
    assert [names(data) for data in (train, test)] == [["cat/a.png", "cat/b.png"], ["cat/c.png"]]
    assert train.why_unlabelled == train.remarks[0] == 'one class, "cat": no labels'


def test_val_is_the_test_split_where_both_val_and_test_exist(tmp_path, paint):
    write(paint, tmp_path, "train/cat/a.png", "val/cat/b.png", "test/c.png")
    assert names(base.load(Config(root=str(tmp_path)), "test")) == ["cat/b.png"]


@pytest.mark.parametrize("split", SPLITS)
def test_a_folder_without_splits_is_read_to_any_depth_without_labels(tmp_path, paint, split):
    write(paint, tmp_path, "b.png", "a/z.jpg", "a/b/c/d/e.webp", "value/only.png")
    data = base.load(Config(root=str(tmp_path)), split)
    assert names(data) == ["a/b/c/d/e.webp", "a/z.jpg", "b.png", "value/only.png"]
    assert (data.labels, data.classes) == (None, ())
    assert data.remarks == ("no train/ with a val/: no classes, no test images",)


def test_splits_without_class_folders_are_unlabelled(tmp_path, paint):
    write(paint, tmp_path, "train/a.png", "train/b.png", "val/cat/c.png")
    train, test = (base.load(Config(root=str(tmp_path)), split) for split in ("train", "test"))
    assert (names(train), train.labels, train.classes) == (["a.png", "b.png"], None, ())
    assert (names(test), test.labels) == (["cat/c.png"], None)


def test_all_endings_are_read_in_any_case_and_what_is_left_out_is_counted_by_ending(tmp_path):
    others = ("txt", "npy", "NPY", "jpg.part", "jpgx", "a very long ending", "caf\xe9", "eps", "svg")
    for ending in (*image_folders.EXTENSIONS, "JPG", "JPEG", "Png", *others):
        (tmp_path / f"x.{ending}").touch()
    (tmp_path / "jpg").touch()
    listed = image_folders.images(tmp_path)
    assert len(listed) == len(image_folders.EXTENSIONS) + 3
    counts = {"npy": 2, "other": 2, "eps": 1, "jpgx": 1, "no ending": 1, "part": 1, "svg": 1, "txt": 1}
    assert listed.left_out == counts
    assert sum(counts.values()) == len(others) + 1
    assert {"jfif", "jpe", "jp2", "pgm", "pbm", "pnm", "ppm"} < {*image_folders.EXTENSIONS}


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "bmp", "tif", "gif", "ppm", "pgm", "jp2"])
def test_a_file_without_an_ending_is_an_image_if_it_begins_as_one(tmp_path, paint, ending):
    paint(tmp_path / f"a.{ending}", "L" if ending == "pgm" else "RGB", size=(40, 30)).rename(tmp_path / "a")
    (tmp_path / "README").write_text("Plain text")
    (tmp_path / "empty").touch()
    data = base.load(Config(root=str(tmp_path)), "pretrain")
    assert (names(data), data.images.left_out) == (["a"], {"no ending": 2})
    assert data.images.decode(0).shape == (3, 30, 40)


def test_kinds_beyond_the_commonest_are_counted_together(tmp_path):
    (tmp_path / "a.png").touch()
    for i in range(30):
        (tmp_path / f"x.{i:03}").touch()
    left_out = image_folders.images(tmp_path).left_out
    assert (len(left_out), left_out["other"], sum(left_out.values())) == (image_folders.LISTED + 1, 10, 30)


def test_a_data_set_tells_what_is_left_out_of_either_split(tmp_path, paint):
    write(paint, tmp_path, "train/cat/a.png", "train/dog/b.png", "val/cat/c.png", "val/dog/d.png")
    for name in ("train/cat/x.svg", "train/cat/y.svg", "train/list.txt", "val/dog/LICENSE"):
        (tmp_path / name).touch()
    data = base.load(Config(root=str(tmp_path)), "pretrain")
    assert data.images.left_out == {"svg": 2, "txt": 1}
    assert data.facts() == {"left_out": {"svg": 2, "txt": 1}, "range": None}
    assert data.remarks == (
        "2 classes; 2 test images in val/",
        f"not read in {tmp_path / 'train'}: 2 .svg files, 1 .txt file",
        f"not read in {tmp_path / 'val'}: 1 file without an ending",
    )
    assert data.subset(torch.tensor([1])).images.left_out == data.images.left_out


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_class_folder_with_files_and_no_image_is_named(tmp_path, paint, split):
    write(paint, tmp_path, *(f"{split}/{name}/a.png" for split in ("train", "val") for name in ("cat", "dog", "emu")))
    (tmp_path / split / "emu/a.png").rename(tmp_path / split / "emu/a.heic")
    error = refusal(tmp_path)
    assert (error.slug, error.where) == ("no-images", str(tmp_path / split / "emu"))
    assert error.message == "a class folder without an image: it holds 1 .heic file"


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
    assert names(base.load(Config(root=str(tmp_path)), "pretrain")) == ["a/x.png"]


@pytest.mark.parametrize("name", ["b.png", "b.JFIF", "b"])
@pytest.mark.parametrize("what", ["a link that leads to nothing", "a FIFO", "a socket", "a device"])
def test_what_has_the_name_of_an_image_and_can_never_be_read_is_refused_at_once(tmp_path, paint, put, name, what):
    write(paint, tmp_path, "cat/a.png")
    put(tmp_path / "cat" / name, what)
    error = refusal(tmp_path)
    assert (error.slug, error.where) == ("unusable-image", str(tmp_path / "cat" / name))
    assert error.message == f"{'an image' if '.' in name else 'a file or folder'} is {what}"


def test_a_link_that_leads_to_itself_is_refused_and_what_has_another_ending_is_counted(tmp_path, paint, put):
    write(paint, tmp_path, "a.png")
    put(tmp_path / "b.sock", "a socket")
    put(tmp_path / "c.lock", "a link that leads to nothing")
    assert image_folders.images(tmp_path).left_out == {"sock": 1, "lock": 1}
    (tmp_path / "itself.png").symlink_to(tmp_path / "itself.png")
    assert refusal(tmp_path).slug == "unusable-image"


def test_linked_files_and_linked_class_folders_are_followed(tmp_path, paint):
    real = write(paint, tmp_path / "real", *(f"{split}/{name}" for split in SPLITS for name in ("cat/a.png", "x.png")))
    for split in ("train", "val"):
        (tmp_path / "data" / split / "dog").mkdir(parents=True)
        (tmp_path / "data" / split / "cat").symlink_to(real / SPLITS[split == "val"] / "cat")
        (tmp_path / "data" / split / "dog" / "b.png").symlink_to(real / SPLITS[split == "val"] / "x.png")
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
    write(paint, tmp_path, "train/cat/a.png", "train/dog/b.png", "val/cat/c.png", "val/dog/d.png")
    (tmp_path / "train" / "emu").mkdir()
    assert base.load(Config(root=str(tmp_path)), "train").classes == ("cat", "dog")


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


def test_class_names_with_odd_bytes_give_text_and_stay_apart(tmp_path, paint):
    for split in ("train", "val"):
        for name in (b"caf\xe8", b"caf\xe9"):
            folder = tmp_path / split / os.fsdecode(name)
            try:
                folder.mkdir(parents=True)
            except OSError:
                pytest.skip("this file system takes valid text only")
            paint(folder / "a.png")
    assert base.load(Config(root=str(tmp_path)), "test").classes == (r"caf\xe8", r"caf\xe9")
    (tmp_path / "val" / os.fsdecode(b"caf\xe8")).rename(tmp_path / "val" / os.fsdecode(b"caf\xea"))
    assert refusal(tmp_path).slug == "classes-differ"


def test_odd_names_are_escaped_in_what_is_said(tmp_path, paint):
    name = os.fsdecode(b"\x1b[31m\xff")
    try:
        write(paint, tmp_path, f"train/{name}/a.png", f"val/{name}/b.png", f"{name}/c.png")
    except OSError:
        pytest.skip("this file system takes valid text only")
    (tmp_path / "train" / name / "x.svg").touch()
    data = base.load(Config(root=str(tmp_path)), "train")
    assert len(data.remarks) == 4
    assert all(remark.isprintable() for remark in data.remarks)
    with pytest.raises(ValidationError, match="UTF-8"):  # no recipe.toml could hold it
        Config(root=str(tmp_path / "train" / name))


NFC, NFD = "caf\xe9", unicodedata.normalize("NFD", "caf\xe9")


def test_classes_that_differ_in_the_form_of_their_letters_alone_are_shown_escaped(tmp_path, paint):
    write(paint, tmp_path, f"train/{NFC}/a.png", "train/dog/b.png", f"val/{NFD}/c.png", "val/dog/d.png")
    error = refusal(tmp_path)
    assert error.slug == "classes-differ"
    assert "only in train/: caf\\xe9\nonly in val/: cafe\\u0301\n" in error.hint


def test_two_classes_that_look_the_same_are_refused(tmp_path, paint):
    write(paint, tmp_path, *(f"{split}/{name}/a.png" for split in ("train", "val") for name in (NFC, NFD)))
    error = refusal(tmp_path)
    assert (error.slug, error.message) == ("classes-alike", "cafe\\u0301 and caf\\xe9 look the same")


def test_a_root_that_is_there_in_other_letters_of_the_same_look_is_told_apart(tmp_path, paint):
    write(paint, tmp_path / NFD, "a.png")
    assert "cafe\\u0301 is there, which looks like caf\\xe9" in refusal(tmp_path / NFC).hint


def test_a_variable_in_the_root_is_never_shown_expanded(tmp_path, paint, monkeypatch):
    secret = write(paint, tmp_path / "hunter2", "train/cat/a.png", "train/dog/b.png", "val/cat/c.png")
    monkeypatch.setenv("TOKEN", str(secret))
    (secret / "train/cat/x.svg").touch()
    (secret / "broken").mkdir()
    (secret / "broken/b.png").write_bytes(b"no image")
    for root in ("$TOKEN", "${TOKEN}/none", "$TOKEN/train/cat/a.png", "$TOKEN/val/../train/none"):
        error = refusal(Path(root))
        assert "hunter2" not in str(error)
        assert root in str(error)
    data = base.load(Config(root="$TOKEN/train"), "pretrain")
    assert data.remarks[1:] == ("not read in $TOKEN/train: 1 .svg file",)
    with pytest.raises(RunError) as caught:
        base.load(Config(root="$TOKEN/broken"), "pretrain").images.decode(0)
    assert caught.value.where == "$TOKEN/broken/b.png"
    assert "hunter2" not in str(caught.value)
    monkeypatch.setenv("TOKEN", "~hunter2/x")
    assert "hunter2" not in str(refusal(Path("$TOKEN")))
    monkeypatch.setenv("DCP_DATA", str(tmp_path))
    assert str(tmp_path / "none") in str(refusal(Path("$DCP_DATA/none")))  # it says where the data are looked for


def test_a_git_lfs_pointer_is_called_one_before_training(tmp_path, paint):
    write(paint, tmp_path, "a.png", "b.png")
    (tmp_path / "b.png").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    error = refusal(tmp_path)
    assert (error.slug, error.where) == ("git-lfs", str(tmp_path / "b.png"))
    assert "git lfs pull" in error.hint
