"""`dcp embed` mixes no images of two sources, leaves out only what is no image, and takes no encoder that is broken."""

import errno
import io
import os
import signal
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_runs import made, rescaled
from PIL import Image

import dcp
from dcp.data import image_lists
from dcp.data.image_lists import ImageList
from dcp.errors import RequestError, RunError
from dcp.exporting import embed as embedding
from dcp.exporting import features, source
from dcp.runs.run import Run


def bitmaps(folder: Path, seed: int) -> Path:
    """Eight images of the same names and sizes, whatever the seed."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(8):
        Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8)).save(folder / f"{i}.bmp")
    return folder


def packed(folder: Path, seed: int) -> Path:
    """The same in a tar file."""
    folder.mkdir()
    with tarfile.open(folder / "a.tar", "w") as tar:
        for path in sorted(bitmaps(folder.with_name(f"{folder.name}-files"), seed).iterdir()):
            member = tarfile.TarInfo(path.name)
            member.size = path.stat().st_size
            tar.addfile(member, io.BytesIO(path.read_bytes()))
    return folder


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Embed, and be interrupted when all features are there."""

    def begin(*args: Any, **options: Any) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(embedding, "finish", lambda *_, **__: pytest.fail("killed"))
            with pytest.raises(pytest.fail.Exception):
                dcp.embed(*args, out="mix.npy", workers=0, **options)

    return begin


def differs(*args: Any, **options: Any) -> str:
    """The message that what was begun is of other images."""
    with pytest.raises(RequestError) as error:
        dcp.embed(*args, out="mix.npy", workers=0, **options)
    assert error.value.slug == "partial-differs"
    return error.value.message


def test_what_was_begun_of_another_folder_is_refused_though_names_and_sizes_are_the_same(
    trained: Path, here: Path, begun: Callable
) -> None:
    bitmaps(here / "a", 0), bitmaps(here / "b", 1)
    begun(trained, "a")
    assert f"folder {here / 'a'} there, {here / 'b'} here" in differs(trained, "b")
    assert dcp.embed(trained, here / "a", out="mix.npy", workers=0)[0].shape == (8, 64)


@pytest.mark.parametrize("times", ["new", "kept"])
def test_what_was_begun_before_images_were_replaced_by_others_of_their_size_is_refused(
    trained: Path, here: Path, begun: Callable, times: str
) -> None:
    before = [path.stat() for path in sorted(bitmaps(here / "a", 0).iterdir())]
    begun(trained, "a")
    for path, status in zip(sorted(bitmaps(here / "a", 1).iterdir()), before, strict=True):
        moved = 0 if times == "kept" else 10**9
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + moved))
    assert "contents" in differs(trained, "a")


def test_a_replaced_image_is_seen_by_its_time_where_there_are_too_many_to_look_into(
    trained: Path, here: Path, begun: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dcp.exporting import identity

    monkeypatch.setattr(identity, "SAMPLED", 2)
    before = (bitmaps(here / "a", 0) / "4.bmp").stat()
    begun(trained, "a")
    content = bytearray(Path("a/4.bmp").read_bytes())
    content[-1] ^= 255
    Path("a/4.bmp").write_bytes(content)
    os.utime("a/4.bmp", ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))
    assert "contents" in differs(trained, "a")


def test_a_list_of_relative_paths_means_other_images_in_another_folder(
    trained: Path, here: Path, begun: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{i}.bmp" for i in range(8)]
    monkeypatch.chdir(bitmaps(here / "a", 0))
    begun(trained, names)
    Path("mix.npy.partial").rename(bitmaps(here / "b", 1) / "mix.npy.partial")
    monkeypatch.chdir(here / "b")
    assert "folder" in differs(trained, names)


def test_tar_files_of_another_root_are_other_images(trained: Path, here: Path, begun: Callable) -> None:
    packed(here / "a", 0), packed(here / "b", 1)
    options = {"split": "pretrain"}
    begun(trained, "shards", sets=["data.root=a"], **options)
    assert "folder" in differs(trained, "shards", sets=["data.root=b"], **options)
    Path("a").rename("c"), Path("b").rename("a")
    assert "contents" in differs(trained, "shards", sets=["data.root=a"], **options)


def test_rows_of_a_saved_data_set_are_other_images_once_it_was_saved_anew(
    trained: Path, here: Path, begun: Callable
) -> None:
    datasets = pytest.importorskip("datasets")
    for name, seed in (("a", 0), ("b", 1)):
        files = sorted(bitmaps(here / f"{name}-files", seed).iterdir())
        rows = {"image": [{"bytes": path.read_bytes(), "path": None} for path in files]}
        table = datasets.Dataset.from_dict(rows, features=datasets.Features({"image": datasets.Image()}))
        datasets.DatasetDict({"train": table}).save_to_disk(here / name)
    options = {"split": "pretrain", "sets": ["data.root=a"]}
    begun(trained, "hf", **options)
    Path("a").rename("c"), Path("b").rename("a")
    assert "contents" in differs(trained, "hf", **options)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_disk_that_fails_ends_it_and_its_images_are_not_left_out(
    trained: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    looks = dict.fromkeys(("030.png", "033.png"), 0)
    opening = image_lists.open_regular

    def fails(path: str) -> Any:
        if (name := Path(path).name) in looks:
            looks[name] += 1
            if looks[name] > 1:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
        return opening(path)

    options = {"out": tmp_path / "f.npy", "batch": 8, "workers": workers, "skip_broken": True}
    with monkeypatch.context() as patch:
        patch.setattr(image_lists, "open_regular", fails)
        with pytest.raises(RunError, match="Input/output error") as error:
            dcp.embed(trained, pictures, **options)
        assert error.value.slug == "broken-image"
        assert "the same command goes on" in error.value.hint
        assert "--skip-broken" not in error.value.hint
        with pytest.raises(RunError, match="Input/output error"):
            dcp.embed(trained, pictures, **{**options, "out": None})
    assert dcp.embed(trained, pictures, **options)[0].shape == (40, 64)


def test_the_reason_for_an_image_that_is_left_out_is_that_of_the_reader(
    trained: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pictures / "dog/039.png").write_bytes(b"no image")
    mine, decode = os.getpid(), ImageList.decode

    def elsewhere(files: ImageList, i: int) -> torch.Tensor:
        assert os.getpid() != mine, "it is read a second time"
        return decode(files, i)

    monkeypatch.setattr(ImageList, "decode", elsewhere)
    run = Run.open(trained)
    result = embedding.in_memory(run, source.images(run, pictures), features.How(16, workers=1, skip_broken=True))
    ((path, why),) = result.left_out
    assert path == "dog/039.png"
    assert "it is no JPEG" in why


def test_what_a_list_names_and_is_no_file_is_left_out_with_the_reason(
    trained: Path, pictures: Path, here: Path
) -> None:
    run, how = Run.open(trained), features.How(16, workers=0, skip_broken=True)
    names = ["pictures/cat/000.png", "x.png", "pictures", "pictures/cat/000.png/y.png"]
    result = embedding.to_file(run, source.images(run, names), Path("f.npy"), how)
    assert result.paths == names[:1]
    assert [path for path, _ in result.left_out] == names[1:]
    assert [why.partition(": ")[2] for _, why in result.left_out] == [
        "No such file or directory",
        "it is a folder, not a file",
        "Not a directory",
    ]


@pytest.mark.skipif(os.name != "posix", reason="no such signal")
def test_what_helps_where_a_reader_ended_is_told_in_options_of_the_command(
    trained: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, read = os.getpid(), features.Centres.read

    def ends(centres: features.Centres, epoch: int, image: int) -> torch.Tensor:
        if os.getpid() != mine and image == 20:
            os.kill(os.getpid(), signal.SIGKILL)
        return read(centres, epoch, image)

    monkeypatch.setattr(features.Centres, "read", ends)
    with pytest.raises(RunError, match="ended by signal 9") as error:
        dcp.embed(trained, pictures, batch=8, workers=1)
    assert error.value.slug == "reader-ended"
    assert "16 of 40 images are done" in error.value.hint
    assert "fewer --workers, or a smaller --batch" in error.value.hint


def test_a_file_that_cannot_be_looked_at_ends_it_though_broken_ones_are_left_out(
    trained: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = os.stat

    def fails(path: Any, **options: Any) -> os.stat_result:
        if os.fspath(path) == os.fsencode(pictures / "cat/004.png"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return look(path, **options)

    monkeypatch.setattr(os, "stat", fails)
    with pytest.raises(RunError, match=r"Input/output error.*004\.png"):
        dcp.embed(trained, pictures, workers=0, skip_broken=True)


def test_an_encoder_that_is_not_finite_is_not_embedded_with(pictures: Path, here: Path, dcp: Callable) -> None:
    said = dcp("embed", rescaled(made(here / "runs"), float("nan")), pictures, "--workers", "0", "--out", "out.npy")
    assert said.code == 2
    assert "error[bad-checkpoint]: the weights are not finite: layer4.1.bn2.weight" in " ".join(said.err.split())
    assert "encoder.safetensors" in said.err
    assert list(here.glob("out*")) == []


def test_features_that_overflow_are_not_written(pictures: Path, here: Path, dcp: Callable) -> None:
    said = dcp("embed", rescaled(made(here / "runs"), 3e38), pictures, "--workers", "0", "--out", "out.npy")
    assert said.code == 1
    assert "error[bad-features]: the features of cat/000.png are not finite" in " ".join(said.err.split())
    assert [path.name for path in here.glob("out*")] == ["out.npy.partial"]
