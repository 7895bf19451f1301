import hashlib
import io
import os
import pickle
import tarfile
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision

from dcp.data import downloads
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
def test_damaged_files_name_the_file_and_the_folder_to_delete(elsewhere, name, refusal):
    write_stl10(elsewhere) if name == "stl10" else write_cifar(elsewhere, name)
    error = refusal({**CIFAR, "stl10": stl10}[name].Config())
    assert error.slug == "damaged-data"
    assert TORCHVISION[name].train_list[0][0] in error.message
    assert error.hint.startswith(f"Delete {elsewhere / TORCHVISION[name].base_folder}, then use ")


@pytest.mark.parametrize("split", ["pretrain", "test"])
@pytest.mark.parametrize("damaged", ["data_batch_4", "test_batch", "batches.meta"])
def test_all_files_are_checked_whichever_split_is_read(elsewhere, monkeypatch, refusal, split, damaged):
    write_cifar(elsewhere, "cifar10")
    accept(monkeypatch, "cifar10", elsewhere / "cifar-10-batches-py")
    path = elsewhere / "cifar-10-batches-py" / damaged
    path.write_bytes(path.read_bytes() + b"x")
    assert refusal(cifar10.Config(), split).message == (
        f"cifar10 is damaged: the checksum of {damaged} is not that of the original"
    )


def test_a_missing_file_of_class_names_is_damage_too(elsewhere, monkeypatch, refusal):
    write_cifar(elsewhere, "cifar10")
    accept(monkeypatch, "cifar10", elsewhere / "cifar-10-batches-py")
    (elsewhere / "cifar-10-batches-py" / "batches.meta").unlink()
    error = refusal(cifar10.Config())
    assert (error.slug, error.message) == ("damaged-data", "cifar10 is damaged: it has no batches.meta")


def test_a_git_lfs_pointer_in_the_place_of_a_file_is_called_one(elsewhere, monkeypatch, refusal):
    write_cifar(elsewhere, "cifar10")
    place = elsewhere / "cifar-10-batches-py" / "data_batch_1"
    place.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    error = refusal(cifar10.Config())
    assert (error.slug, error.where) == ("git-lfs", str(place))


@pytest.mark.parametrize("name", CIFAR)
def test_a_file_that_is_swapped_after_its_check_runs_nothing(elsewhere, monkeypatch, name):
    rows = write_cifar(elsewhere, name)
    folder = elsewhere / TORCHVISION[name].base_folder
    accept(monkeypatch, name, folder)
    opening, opened = downloads.open_regular, []

    def open_once(path):
        """Whoever opens a file a second time finds another one."""
        file = opening(path)
        opened.append(path)
        path.unlink()
        path.write_bytes(hostile(elsewhere / "ran"))
        return file

    monkeypatch.setattr(downloads, "open_regular", open_once)
    train = base.load(CIFAR[name].Config(), "train")
    assert torch.equal(train.images, torch.from_numpy(rows).view(-1, 3, 32, 32))
    assert len(opened) == len({*opened})
    assert not (elsewhere / "ran").exists()


def test_stl10s_files_are_opened_once_too(elsewhere, monkeypatch):
    write_stl10(elsewhere)
    accept(monkeypatch, "stl10", elsewhere / "stl10_binary")
    opening, opened = downloads.open_regular, []
    monkeypatch.setattr(downloads, "open_regular", lambda path: opened.append(path.name) or opening(path))
    monkeypatch.setattr("numpy.fromfile", lambda *_, **__: pytest.fail("read a second time"))
    base.load(stl10.Config(), "pretrain")
    assert sorted(opened) == ["test_X.bin", "test_y.bin", "train_X.bin", "train_y.bin", "unlabeled_X.bin"]


def test_a_hostile_pickle_runs_nothing_even_with_the_right_checksum(elsewhere, monkeypatch, refusal):
    write_cifar(elsewhere, "cifar10")
    (elsewhere / "cifar-10-batches-py/data_batch_2").write_bytes(hostile(elsewhere / "ran"))
    accept(monkeypatch, "cifar10", elsewhere / "cifar-10-batches-py")
    error = refusal(cifar10.Config())
    assert (error.slug, error.message) == (
        "damaged-data",
        "cifar10 is damaged: data_batch_2 is no pickle of plain data: it names posix.mkdir, which is no plain data",
    )
    assert not (elsewhere / "ran").exists()


@pytest.mark.parametrize(
    "content", [{}, [], {"data": 3, "labels": []}, {"data": np.zeros((2, 7), np.uint8), "labels": [0, 1]}]
)
def test_plain_data_of_another_kind_are_damage(elsewhere, monkeypatch, refusal, content):
    write_cifar(elsewhere, "cifar10")
    (elsewhere / "cifar-10-batches-py/data_batch_1").write_bytes(pickle.dumps(content, protocol=2))
    accept(monkeypatch, "cifar10", elsewhere / "cifar-10-batches-py")
    assert refusal(cifar10.Config()).message == (
        "cifar10 is damaged: its files do not hold images, labels and names of classes"
    )


def hostile(path: Path) -> bytes:
    """A pickle that makes a folder when it is read."""
    content = b"cposix\nmkdir\n(V%s\ntR." % str(path).encode()
    pickle.loads(content)
    path.rmdir()
    return content


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


def packed(folder: Path, *more: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """A folder as an archive, with further entries."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.add(folder, folder.name)
        for entry, content in more:
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


@pytest.fixture
def archive(tmp_path_factory, monkeypatch) -> bytes:
    """CIFAR-100 as an archive that the checksums are of."""
    made = tmp_path_factory.mktemp("server")
    write_cifar(made, "cifar100")
    accept(monkeypatch, "cifar100", made / "cifar-100-python")
    content = packed(made / "cifar-100-python")
    monkeypatch.setattr(TORCHVISION["cifar100"], "tgz_md5", hashlib.md5(content).hexdigest())
    return content


def test_a_download_arrives_is_checked_and_is_read_and_leaves_nothing_beside(elsewhere, monkeypatch, archive):
    serve(monkeypatch, archive)
    assert len(base.load(cifar100.Config(download=True), "test")) == 20
    assert [path.name for path in elsewhere.iterdir()] == ["cifar-100-python"]


def test_what_a_killed_download_left_is_removed_after_a_day_and_nothing_else(elsewhere, monkeypatch, archive):
    serve(monkeypatch, archive)
    kept = [".cifar100-01234567", ".cifar100-mine", ".stl10-0123abcd", ".cifar100-00000000"]
    for name in (".cifar100-0123abcd", *kept):
        (elsewhere / name / "unpacked").mkdir(parents=True)
        (elsewhere / name / "unpacked/x").write_bytes(b"half")
    (elsewhere / kept[0] / "mine.txt").write_text("not of dcp")
    for path in sorted(elsewhere.rglob("*"), reverse=True):
        if kept[-1] not in str(path):
            os.utime(path, (0, 0))
    base.load(cifar100.Config(download=True), "train")
    assert sorted(path.name for path in elsewhere.iterdir() if path.name.startswith(".")) == sorted(kept)


def test_what_is_missing_or_damaged_is_fetched_and_replaced_whatever_lies_there(elsewhere, monkeypatch, archive):
    serve(monkeypatch, archive)
    base.load(cifar100.Config(download=True), "test")
    folder, precious = elsewhere / "cifar-100-python", elsewhere / "precious"
    precious.write_text("mine")
    for there in (False, True):
        (folder / "train").unlink()
        if there:
            (folder / "train").symlink_to(precious)
        (folder / "test").write_bytes(b"damaged")
        assert len(base.load(cifar100.Config(download=True), "train")) == 20
    assert precious.read_text() == "mine"
    assert not (folder / "train").is_symlink()


def test_an_archive_that_lies_there_is_taken_if_it_is_the_right_one(elsewhere, monkeypatch, offline, archive, refusal):
    (elsewhere / "cifar-100-python.tar.gz").write_bytes(archive)
    assert len(base.load(cifar100.Config(download=True), "test")) == 20
    assert not offline
    (elsewhere / "cifar-100-python" / "train").unlink()
    (elsewhere / "cifar-100-python.tar.gz").write_bytes(archive[:-1])
    assert refusal(cifar100.Config(download=True)).slug == "download-failed"


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        (entry("../evil"), "leads out of the folder"),
        (entry("cifar-100-python/../../evil"), "leads out of the folder"),
        (entry("/tmp/evil"), "leads out of the folder"),
        (entry("C:/evil"), "leads out of the folder"),
        (entry("a\\..\\evil"), "leads out of the folder"),
        (entry("cifar-100-python/link", tarfile.SYMTYPE, "/etc"), "is a link or a device"),
        (entry("cifar-100-python/link", tarfile.LNKTYPE, "cifar-100-python/train"), "is a link or a device"),
        (entry("cifar-100-python/pipe", tarfile.FIFOTYPE), "is a link or a device"),
        (entry("cifar-100-python/null", tarfile.CHRTYPE), "is a link or a device"),
    ],
)
def test_an_archive_whose_entries_lead_elsewhere_is_refused_even_with_the_right_checksum(
    elsewhere, tmp_path_factory, monkeypatch, refusal, odd, why
):
    made = tmp_path_factory.mktemp("server")
    write_cifar(made, "cifar100")
    accept(monkeypatch, "cifar100", made / "cifar-100-python")
    content = packed(made / "cifar-100-python", (odd, b""))
    serve(monkeypatch, content)
    monkeypatch.setattr(TORCHVISION["cifar100"], "tgz_md5", hashlib.md5(content).hexdigest())
    error = refusal(cifar100.Config(root=str(elsewhere / "data"), download=True))
    assert error.slug == "damaged-data"
    assert f"its entry {odd.name} " in error.message
    assert why in error.message
    assert [path.name for path in elsewhere.iterdir()] == ["data"]
    assert not list((elsewhere / "data").iterdir())


def test_imagenettes_archive_is_unpacked_under_the_same_rules(elsewhere, tmp_path_factory, paint, monkeypatch, refusal):
    made = tmp_path_factory.mktemp("server")
    for split in ("train", "val"):
        for wnid in imagenette.CLASSES:
            paint(made / "imagenette2-160" / split / wnid / "a.JPEG")
    monkeypatch.setattr(imagenette, "COUNTS", {"pretrain": 10, "train": 10, "test": 10})
    for more in ((entry("imagenette2-160/val/link", tarfile.SYMTYPE, "/etc"), b""),), ():
        content = packed(made / "imagenette2-160", *more)
        serve(monkeypatch, content)
        monkeypatch.setitem(imagenette.ARCHIVES, "160px", ("imagenette2-160", hashlib.md5(content).hexdigest()))
        config = imagenette.Config(download=True)
        assert more == () or "link or a device" in refusal(config).message
    assert len(base.load(config, "test")) == 10


EMPTY = io.BytesIO()
tarfile.open(fileobj=EMPTY, mode="w").close()


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08cut", EMPTY.getvalue()])
def test_what_is_no_archive_is_refused_even_with_the_right_checksum(elsewhere, monkeypatch, refusal, content):
    serve(monkeypatch, content)
    monkeypatch.setattr(TORCHVISION["cifar100"], "tgz_md5", hashlib.md5(content).hexdigest())
    assert refusal(cifar100.Config(download=True)).slug == "damaged-data"


def test_a_download_that_arrives_damaged_says_so_and_leaves_nothing(elsewhere, monkeypatch, refusal):
    serve(monkeypatch, b"<html>log in to this network first</html>")
    error = refusal(cifar100.Config(download=True))
    assert error.slug == "damaged-data"
    assert error.message == "the archive of cifar100 is damaged: its checksum is not that of the original"
    assert "By hand: fetch" in error.hint
    assert not list(elsewhere.iterdir())


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path, refusal):
    (tmp_path / "file").touch()
    error = refusal(cifar10.Config(root=str(tmp_path / "file"), download=True))
    assert (error.slug, error.where) == ("unusable-folder", str(tmp_path / "file"))


def serve(monkeypatch, content: bytes) -> None:
    class Response(io.BytesIO):
        url, length = None, len(content)

    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: Response(content))
