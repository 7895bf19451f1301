import hashlib
import io
import pickle
import tarfile
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision

from dcp.data.datasets import base, cifar10, cifar100, imagenette, stl10

CIFAR = {"cifar10": cifar10, "cifar100": cifar100}
TORCHVISION = {
    "cifar10": torchvision.datasets.CIFAR10,
    "cifar100": torchvision.datasets.CIFAR100,
    "stl10": torchvision.datasets.STL10,
}


def accept(monkeypatch, name: str, folder: Path) -> None:
    """Let torchvision's integrity check expect the files that the test has written."""
    kind = TORCHVISION[name]

    def sums(files: list[list[str]]) -> list[list[str]]:
        return [[file, hashlib.md5((folder / file).read_bytes()).hexdigest()] for file, _ in files]

    monkeypatch.setattr(kind, "train_list", sums(kind.train_list))
    monkeypatch.setattr(kind, "test_list", sums(kind.test_list))
    if name != "stl10":
        monkeypatch.setattr(kind, "meta", kind.meta | {"md5": sums([[kind.meta["filename"], ""]])[0][1]})


def write_cifar(root: Path, name: str, each: int = 20) -> np.ndarray:
    """Pickles as the originals: rows of 3072 bytes, red, then green, then blue; returns the train rows."""
    kind, random = TORCHVISION[name], np.random.default_rng(0)
    folder = root / kind.base_folder
    folder.mkdir(parents=True)
    key, count = ("labels", 10) if name == "cifar10" else ("fine_labels", 100)
    rows = []
    for file, _ in (*kind.train_list, *kind.test_list):
        data = random.integers(0, 256, (each, 3072), dtype=np.uint8)
        rows.append(data)
        (folder / file).write_bytes(pickle.dumps({"data": data, key: [i % count for i in range(each)]}, protocol=2))
    names = {kind.meta["key"]: [f"class {i}" for i in range(count)]}
    (folder / kind.meta["filename"]).write_bytes(pickle.dumps(names, protocol=2))
    return np.concatenate(rows[: len(kind.train_list)])


def write_stl10(root: Path, train: int = 6, unlabelled: int = 9, test: int = 4) -> None:
    """Binaries as the originals: uint8, channel by channel, each column by column; labels from 1 to 10."""
    folder, random = root / "stl10_binary", np.random.default_rng(0)
    folder.mkdir(parents=True)
    for name, count in (("train_X", train), ("unlabeled_X", unlabelled), ("test_X", test)):
        images = random.integers(0, 256, (count, 3, 96, 96), dtype=np.uint8)
        images[0, 1, 5, 70] = 0  # row 5, column 70 of the green channel
        images[0, 1, 70, 5] = 255
        images.transpose(0, 1, 3, 2).tofile(folder / f"{name}.bin")
    for name, count in (("train_y", train), ("test_y", test)):
        (np.arange(count, dtype=np.uint8) % 10 + 1).tofile(folder / f"{name}.bin")


@pytest.mark.parametrize("name", CIFAR)
def test_cifar_is_one_uint8_tensor_with_the_bytes_of_the_file(elsewhere, monkeypatch, name):
    rows = write_cifar(elsewhere, name)
    accept(monkeypatch, name, elsewhere / TORCHVISION[name].base_folder)
    config = CIFAR[name].Config()
    pretrain, train, test = (base.load(config, split) for split in ("pretrain", "train", "test"))
    assert (train.images.dtype, train.images.is_contiguous()) == (torch.uint8, True)
    assert torch.equal(train.images, torch.from_numpy(rows).view(-1, 3, 32, 32))
    assert torch.equal(pretrain.images, train.images)
    assert (len(test), test.labels.dtype, test.labels[:3].tolist()) == (20, torch.int64, [0, 1, 2])
    assert len(train.classes) == (10 if name == "cifar10" else 100)


def test_stl10_images_are_not_transposed_and_pretrain_holds_train_and_unlabelled(elsewhere, monkeypatch):
    write_stl10(elsewhere)
    accept(monkeypatch, "stl10", elsewhere / "stl10_binary")
    pretrain, train, test = (base.load(stl10.Config(), split) for split in ("pretrain", "train", "test"))
    assert [tuple(d.images.shape) for d in (pretrain, train, test)] == [(n, 3, 96, 96) for n in (15, 6, 4)]
    assert all(d.images.is_contiguous() and d.images.dtype == torch.uint8 for d in (pretrain, train, test))
    assert [int(train.images[0, 1, r, c]) for r, c in ((5, 70), (70, 5))] == [0, 255]
    assert torch.equal(pretrain.images[:6], train.images)
    assert (pretrain.labels, pretrain.classes) == (None, ())
    assert (train.labels.tolist(), train.labels.dtype) == ([0, 1, 2, 3, 4, 5], torch.int64)
    assert (len(test.classes), test.classes[0], test.classes[9]) == (10, "airplane", "truck")


def test_a_limit_above_stl10s_labelled_images_cuts_pretrain_and_leaves_train_whole(elsewhere, monkeypatch):
    write_stl10(elsewhere)
    accept(monkeypatch, "stl10", elsewhere / "stl10_binary")
    config = stl10.Config(limit=10)
    assert [len(base.load(config, split)) for split in ("pretrain", "train", "test")] == [10, 6, 4]


@pytest.mark.parametrize(
    ("config", "folder", "file"),
    [
        (cifar10.Config(), "cifar-10-batches-py", "data_batch_3"),
        (cifar100.Config(), "cifar-100-python", "train, test"),
        (stl10.Config(), "stl10_binary", "unlabeled_X.bin"),
        (imagenette.Config(), "imagenette2-160", "train/ and val/"),
        (imagenette.Config(size="full"), "imagenette2", "train/ and val/"),
    ],
)
def test_absent_data_say_which_files_belong_where_and_which_key_downloads(elsewhere, config, folder, file, refusal):
    error = refusal(config)
    assert (error.slug, error.where) == ("missing-data", str(elsewhere / folder))
    assert error.message == f"{config.source} is not there"
    assert "--set data.download=true" in error.hint
    assert f"{elsewhere / folder} must hold " in error.hint
    assert file in error.hint
    assert not list(elsewhere.iterdir())


def test_an_incomplete_folder_names_the_missing_files(elsewhere, refusal):
    write_cifar(elsewhere, "cifar10")
    for file in ("data_batch_2", "test_batch"):
        (elsewhere / "cifar-10-batches-py" / file).unlink()
    assert refusal(cifar10.Config()).message == "cifar10 is incomplete: no data_batch_2, test_batch"


@pytest.mark.parametrize("name", TORCHVISION)
def test_damaged_files_name_the_folder_to_delete(elsewhere, name, refusal):
    write_stl10(elsewhere) if name == "stl10" else write_cifar(elsewhere, name)
    module = {**CIFAR, "stl10": stl10}[name]
    error = refusal(module.Config())
    assert error.slug == "damaged-data"
    assert error.hint.startswith(f"Delete {elsewhere / TORCHVISION[name].base_folder} (and ")


def test_a_damaged_file_of_class_names_is_damage_too(elsewhere, monkeypatch, refusal):
    write_cifar(elsewhere, "cifar10")
    accept(monkeypatch, "cifar10", elsewhere / "cifar-10-batches-py")
    (elsewhere / "cifar-10-batches-py" / "batches.meta").unlink()
    assert refusal(cifar10.Config()).slug == "damaged-data"


@pytest.mark.parametrize(
    ("config", "address"),
    [
        (cifar10.Config(download=True), "cs.toronto.edu/~kriz/cifar-10-python.tar.gz"),
        (cifar100.Config(download=True), "cs.toronto.edu/~kriz/cifar-100-python.tar.gz"),
        (stl10.Config(download=True), "stl10_binary.tar.gz"),
        (imagenette.Config(download=True, size="320px"), "imagenette2-320.tgz"),
    ],
)
def test_a_download_without_a_network_says_so_and_which_files_belong_where(
    elsewhere, offline, config, address, refusal
):
    error = refusal(config)
    assert offline
    assert error.slug == "download-failed"
    assert error.message == f"cannot download {config.source}: [Errno -2] Name or service not known"
    assert address in error.where
    assert "offline" in error.hint
    assert f"unpack it in {elsewhere}" in error.hint
    assert "must hold" in error.hint


def test_data_that_lie_there_are_not_downloaded_again(elsewhere, monkeypatch, offline):
    write_cifar(elsewhere, "cifar100")
    accept(monkeypatch, "cifar100", elsewhere / "cifar-100-python")
    assert len(base.load(cifar100.Config(download=True), "train")) == 20
    assert not offline


def test_a_download_arrives_is_checked_and_is_read(elsewhere, tmp_path_factory, monkeypatch):
    made, archive = tmp_path_factory.mktemp("server"), io.BytesIO()
    write_cifar(made, "cifar100")
    accept(monkeypatch, "cifar100", made / "cifar-100-python")
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.add(made / "cifar-100-python", "cifar-100-python")
    serve(monkeypatch, archive.getvalue())
    monkeypatch.setattr(TORCHVISION["cifar100"], "tgz_md5", hashlib.md5(archive.getvalue()).hexdigest())
    assert len(base.load(cifar100.Config(download=True), "test")) == 20


def test_a_download_that_arrives_damaged_names_what_to_delete(elsewhere, monkeypatch, refusal):
    serve(monkeypatch, b"<html>log in to this network first</html>")
    error = refusal(cifar100.Config(download=True))
    assert error.slug == "damaged-data"
    assert f"Delete {elsewhere / 'cifar-100-python'} (and cifar-100-python.tar.gz beside it)" in error.hint


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path, refusal):
    (tmp_path / "file").touch()
    error = refusal(cifar10.Config(root=str(tmp_path / "file"), download=True))
    assert (error.slug, error.where) == ("unusable-folder", str(tmp_path / "file"))


def serve(monkeypatch, content: bytes) -> None:
    class Response(io.BytesIO):
        url, length = None, len(content)

    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: Response(content))
