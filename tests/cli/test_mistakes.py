"""Ways to get a recipe or a call wrong: one plain message, the exit code of the contract, nothing left behind."""

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

REFUSED = {
    "unknown key": (("predictor.epsilon=0.1",), "Did you mean eps"),
    "batch larger than the data": (("train.batch=100000",), "only 256 images"),
    "limit larger than the data": (("data.limit=100000",), "has 256 images"),
    "unknown backbone": (("network.backbone=resnet81",), "resnet18"),
    "width of a network that has none": (("network.backbone=vit_tiny_patch16_224",), "network.stem, width and norm"),
    "not KEY=VALUE": (("--set", "train.batch"), "KEY=VALUE"),
    "two ways to name seeds": (("--seed", "1", "--seeds", "0-2"), "exclude each other"),
    "seeds that are none": (("--seeds", "4-1"), "names no seeds"),
    "a seed beyond the largest": (("--seeds", "2147483647-2147483648"), "each at most 2147483647"),
    "a value and a key below it": (("train=3", "train.batch=16"), "exclude each other"),
    "a device that is not there": (("--device", "cuda"), "no device"),
    "an option that is not there": (("--epochs", "3"), "epochs"),
    "blur wider than the view": (("views.blur.p=1.0", "views.blur.kernel=99"), "kernel"),
    "missing folder": (("data.source=folder", 'data.root="/nowhere/at/all"'), "/nowhere/at/all"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_wrong_request_is_refused_in_words_and_writes_nothing(case: str, tmp_path: Path, dcp: Callable) -> None:
    if case == "a device that is not there" and torch.cuda.is_available():
        pytest.skip("this machine has the device")
    arguments, words = REFUSED[case]
    said = dcp("pretrain", "tiny/directcopy", *arguments, "--runs", tmp_path / "runs")
    assert said.code == 2, said
    assert words in said.err
    assert not (tmp_path / "runs").exists()


def test_several_problems_are_told_at_once(tmp_path: Path, dcp: Callable) -> None:
    said = dcp("pretrain", "tiny/directcopy", "train.bach=3", "predictor.eps=-1", "optimizer.lr=fast")
    assert said.code == 2
    assert all(key in said.err for key in ("train.bach", "predictor.eps", "optimizer.lr"))


def test_a_folder_of_text_files_is_refused_with_what_it_holds(tmp_path: Path, dcp: Callable) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("no image")
    said = folder(dcp, tmp_path / "texts", tmp_path / "runs")
    assert said.code == 2
    assert ".txt" in said.err
    assert not (tmp_path / "runs").exists()


def folder(dcp: Callable, images: Path, runs: Path, *more: str):
    """A training on image files."""
    sets = ("data.source=folder", f'data.root="{images}"', "data.image_size=16", "train.batch=16", "train.workers=0")
    return dcp("pretrain", "tiny/directcopy", *sets, *more, "--runs", runs)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_truncated_image_fails_the_run_and_is_named(tmp_path: Path, dcp: Callable, workers: int) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for i in range(32):
        Image.effect_noise((24, 24), 60).save(images / f"{i:02}.jpg")
    whole = (images / "07.jpg").read_bytes()
    (images / "07.jpg").write_bytes(whole[: len(whole) // 2])
    said = folder(dcp, images, tmp_path / "runs", f"train.workers={workers}")
    assert said.code == 1
    assert "07.jpg" in said.err
    record = json.loads((tmp_path / "runs" / "directcopy-s0" / "run.json").read_text())
    assert record["status"] == "failed"
    assert "07.jpg" in record["why"]


def test_a_run_that_exists_is_refused_with_the_ways_out(trained: Path, dcp: Callable) -> None:
    before = sorted(path.stat().st_mtime_ns for path in trained.rglob("*"))
    said = dcp("pretrain", "tiny/directcopy", "--runs", trained.parent)
    assert said.code == 2
    assert "--resume" in said.err
    assert sorted(path.stat().st_mtime_ns for path in trained.rglob("*")) == before


@pytest.mark.parametrize("missing", ["recipe.toml", "run.json"])
def test_half_a_run_is_named_as_such(trained: Path, tmp_path: Path, dcp: Callable, missing: str) -> None:
    half = Path(shutil.copytree(trained, tmp_path / trained.name))
    (half / missing).unlink()
    for command in (("probe", half), ("pretrain", "tiny/directcopy", "--resume", "--runs", tmp_path)):
        said = dcp(*command)
        assert said.code == 2
        assert missing in said.err


def test_a_run_without_an_encoder_cannot_be_probed(trained: Path, tmp_path: Path, dcp: Callable) -> None:
    bare = Path(shutil.copytree(trained, tmp_path / trained.name))
    (bare / "encoder.safetensors").unlink()
    said = dcp("probe", bare)
    assert said.code == 2
    assert "no encoder" in said.err


def test_a_damaged_checkpoint_is_named(trained: Path, tmp_path: Path, dcp: Callable) -> None:
    run = Path(shutil.copytree(trained, tmp_path / trained.name))
    (run / "run.json").write_text((run / "run.json").read_text().replace('"done"', '"interrupted"'))
    (run / "checkpoint/state.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0garbage")
    said = dcp("pretrain", "tiny/directcopy", "--runs", tmp_path, "--resume")
    assert said.code == 2
    assert "state.safetensors" in said.err


def test_one_run_cannot_be_compared(trained: Path, dcp: Callable) -> None:
    assert dcp("compare", trained).code == 2


def test_a_run_that_does_not_exist_is_answered_with_near_names(trained: Path, dcp: Callable) -> None:
    said = dcp("probe", "directcpy", "--runs", trained.parent)
    assert said.code == 2
    assert "directcopy" in said.err


def test_a_diverging_run_fails_and_names_the_step(tmp_path: Path, dcp: Callable) -> None:
    sets = ("optimizer.lr=1e30", "objective.name=euclidean", "network.norm=group", "network.projector.norm=none")
    said = dcp("pretrain", "tiny/directcopy", *sets, "--runs", tmp_path)
    assert said.code == 1
    assert "not finite at step" in said.err
    record = json.loads((tmp_path / "directcopy-s0" / "run.json").read_text())
    assert (record["status"], record["error"]) == ("failed", "diverged")
    assert "not finite at step" in record["why"]
    assert not (tmp_path / "directcopy-s0" / "encoder.safetensors").exists()


def test_a_full_disk_fails_the_run_in_words(tmp_path: Path, dcp: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("dcp.runs.checkpoint.save_file", full)
    said = dcp("pretrain", "tiny/directcopy", "--runs", tmp_path)
    assert said.code == 1
    assert "disk is full" in said.err
    left = [path.name for path in (tmp_path / "directcopy-s0").rglob("*") if path.is_file()]
    assert sorted(left) == ["metrics.jsonl", "recipe.toml", "run.json"]


def test_too_few_images_for_k_neighbours_is_said_and_the_run_is_done(tmp_path: Path, dcp: Callable) -> None:
    said = dcp("pretrain", "tiny/directcopy", "probe.knn.k=1000", "train.epochs=1", "--runs", tmp_path)
    assert said.code == 0
    assert "knn not measured" in said.out
    assert dcp("probe", "directcopy", "-e", "knn", "--runs", tmp_path).code == 2


def test_copying_over_a_file_is_refused(tmp_path: Path, dcp: Callable) -> None:
    target = tmp_path / "mine.toml"
    assert dcp("recipes", "copy", "cifar10_directcopy", target).code == 0
    assert dcp("recipes", "check", target).code == 0
    assert dcp("recipes", "copy", "cifar10_directcopy", target).code == 2
