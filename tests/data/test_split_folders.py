"""No image that is for testing is trained on unnoticed, whatever the folders are called and however deep they lie."""

from pathlib import Path

import pytest

from dcp.data.datasets import base
from dcp.data.datasets.folder import Config
from dcp.errors import RequestError


def make(paint, root, *folders):
    for seed, folder in enumerate(folders):
        for name in ("cat", "dog"):
            paint(root / folder / name / "a.png", seed=seed)
    return Config(root=str(root))


def refusal(config):
    with pytest.raises(RequestError) as caught:
        base.load(config, "pretrain")
    assert caught.value.slug == "unknown-split"
    return caught.value


@pytest.mark.parametrize("held_out", ["val", "valid", "Test", "validation"])
@pytest.mark.parametrize("train", ["trainset", "train_set", "train1", "images", "x"])
def test_test_images_without_a_folder_that_is_called_train_are_refused_with_the_ways_out(
    tmp_path, paint, train, held_out
):
    config = make(paint, tmp_path, train, held_out)
    error = refusal(config)
    assert error.where == str(tmp_path)
    assert error.message == f"{held_out}/ has the name of test images, and no folder is called train"
    assert "Call their folder train." in error.hint
    assert f'data.root = "{tmp_path / train}"' in error.hint
    with pytest.raises(RequestError, match="no folder is called train"):
        config.labelled()
    (tmp_path / train).rename(tmp_path / "train")
    assert [len(base.load(config, split)) for split in ("pretrain", "test")] == [2, 2]


def test_of_val_and_test_neither_is_trained_on(tmp_path, paint):
    error = refusal(make(paint, tmp_path, "val", "test"))
    assert error.message == "val/ and test/ have the name of test images, and no folder is called train"
    assert "Give images for training alone" in error.hint
    assert len(base.load(Config(root=str(tmp_path / "val")), "pretrain")) == 2


@pytest.mark.parametrize(
    ("deep", "train", "held_out"),
    [
        ("data", "train", "val"),
        ("a/b/c", "Train", "testing"),
        ("", "train_set", "test_set"),
        ("", "train2017", "val2017"),
        ("x", "images_train", "images-test"),
        ("x", "trainset", "dev"),
    ],
)
def test_training_and_test_images_further_down_are_refused_and_their_folder_is_named(
    tmp_path, paint, deep, train, held_out
):
    config = make(paint, tmp_path, Path(deep, train), Path(deep, held_out))
    error = refusal(config)
    place = str(tmp_path / deep)
    assert error.where == place
    assert error.message.startswith(f"{train}/ and {held_out}/ look like training and test images")
    assert f'data.root = "{place}"' in error.hint
    assert f'data.root = "{Path(place, train)}"' in error.hint
    assert ("Call them train and val" in error.hint) == (train.lower() != "train")


def test_ordinary_names_are_no_splits(tmp_path, paint):
    config = make(paint, tmp_path, "train_station", "test_tube", "valley", "trains", "value")
    (tmp_path / "val").mkdir()  # nothing in it is trained on
    data = base.load(config, "pretrain")
    assert len(data) == 10
    assert data.remarks == ("no train/ with a val/: no classes, no test images",)


def test_a_folder_further_down_with_a_name_of_test_images_alone_is_told(tmp_path, paint):
    data = base.load(make(paint, tmp_path, "x", "y/val"), "pretrain")
    assert data.remarks[-1] == f"trained on too: {tmp_path / 'y' / 'val'}"


def test_the_first_remark_says_how_many_classes_and_test_images_there_are(tmp_path, paint):
    config = make(paint, tmp_path, "train", "Test")
    assert base.load(config, "pretrain").remarks == ("2 classes; 2 test images in Test/",)
    for path in (tmp_path / "train").rglob("*.png"):
        path.rename(tmp_path / "train" / f"{path.parent.name}.png")
    assert base.load(config, "pretrain").remarks == ("no classes; 2 test images in Test/",)
