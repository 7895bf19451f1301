from pathlib import Path

import pytest
import torchvision

from dcp.data.datasets import base, imagenet, imagenette
from dcp.data.image_lists import Files


def write_imagenette(root: Path, paint, counts: dict[str, int], folder: str = "imagenette2-160") -> None:
    for split, count in counts.items():
        for i in range(count):
            wnid = list(imagenette.CLASSES)[i % 10]
            paint(root / folder / split / wnid / f"{wnid}_{i}.JPEG", seed=i)


def test_imagenette_reads_torchvisions_folders_lazily_with_readable_class_names(elsewhere, paint, monkeypatch):
    write_imagenette(elsewhere, paint, {"train": 20, "val": 10})
    monkeypatch.setattr(imagenette, "COUNTS", {"pretrain": 20, "train": 20, "test": 10})
    train, test = (base.load(imagenette.Config(), split) for split in ("train", "test"))
    assert isinstance(train.images, Files)
    assert train.labels.bincount().tolist() == [2] * 10
    assert test.labels.tolist() == list(range(10))
    assert train.classes == test.classes
    assert (train.classes[0], train.classes[9]) == ("tench", "parachute")
    ours = torchvision.datasets.Imagenette(elsewhere, split="val", size="160px")
    assert [ours[i][1] for i in range(10)] == test.labels.tolist()
    assert [names[0] for names in ours.classes] == list(test.classes)


@pytest.mark.parametrize("counts", [{"train": 20, "val": 10}, {"train": 20}])
def test_an_imagenette_that_was_not_unpacked_to_the_end_names_the_folder_to_delete(elsewhere, paint, counts, refusal):
    write_imagenette(elsewhere, paint, counts)
    error = refusal(imagenette.Config(download=True))
    assert error.slug == "damaged-data"
    assert f"Delete {elsewhere / 'imagenette2-160'}, then use" in error.hint


@pytest.mark.parametrize("below", ["", "imagenet"])
def test_imagenet_is_read_from_train_and_val_by_wordnet_number(elsewhere, paint, below):
    for i, name in enumerate(("train/n02/a.JPEG", "train/n01/b.JPEG", "val/n01/c.JPEG", "val/n02/d.JPEG")):
        paint(elsewhere / below / name, seed=i)
    train, test = (base.load(imagenet.Config(), split) for split in ("train", "test"))
    assert (train.classes, train.labels.tolist(), test.labels.tolist()) == (("n01", "n02"), [0, 1], [0, 1])


@pytest.mark.parametrize("download", [False, True])
def test_imagenet_says_how_it_is_to_be_had(elsewhere, offline, download, refusal):
    error = refusal(imagenet.Config(download=download))
    assert (error.slug, error.where) == ("missing-data", str(elsewhere))
    assert ("cannot be downloaded" in error.message) == download
    assert "ILSVRC2012_img_train.tar" in error.hint
    assert not offline
