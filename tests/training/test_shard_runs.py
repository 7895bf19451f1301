"""Runs on tar files: the bytes of a run on the same files in a folder; probes, resuming and refusals."""

import io
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from dcp.runs.run import Run

KEYS = (
    "tiny/directcopy", "data.image_size=16", "train.batch=8", "train.epochs=3", "train.save_every=4", "train.workers=1",
    "train.log_every=1", "run.name=x",
)  # fmt: skip


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same images as class folders and as tars, in the same order."""
    root = tmp_path_factory.mktemp("sets")
    rng = np.random.default_rng(0)
    for split, count in (("train", 24), ("val", 8)):
        for k, label in enumerate(("ant", "cat")):
            folder = root / "folder" / split / label
            folder.mkdir(parents=True)
            for i in range(count):
                noise = rng.integers(0, 128, (24, 20 + i % 5, 3), dtype=np.uint8) + np.uint8(127 * k)
                Image.fromarray(noise).save(folder / f"{i:03}.jpg")
        (root / "shards" / split).mkdir(parents=True)
        for number, label in enumerate(("ant", "cat")):
            with tarfile.open(root / "shards" / split / f"{number}.tar", "w") as tar:
                for path in sorted((root / "folder" / split / label).iterdir()):
                    tar.add(path, f"{label}/{path.name}")
                    info = tarfile.TarInfo(f"{label}/{path.stem}.cls")
                    info.size = 1
                    tar.addfile(info, io.BytesIO(b"%d" % number))
    (root / "shards/classes.txt").write_text("ant\ncat\n")
    return root


def of(sets: Path, source: str) -> tuple[str, ...]:
    return (*KEYS, f"data.source={source}", f'data.root="{sets / source}"')


def weights(runs: Path) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in load_file(runs / "x-s0/encoder.safetensors").items()}


def test_a_run_on_tars_has_the_bytes_and_the_scores_of_one_on_the_same_files(
    sets: Path, tmp_path: Path, dcp: Callable
) -> None:
    for source in ("folder", "shards"):
        said = dcp("pretrain", *of(sets, source), 'probe.after=["knn"]', "probe.knn.k=5", "--runs", tmp_path / source)
        assert said.code == 0, said.err
    assert weights(tmp_path / "folder") == weights(tmp_path / "shards")
    scores = [Run.open(tmp_path / source / "x-s0").probes()["knn"] for source in ("folder", "shards")]
    assert scores[0].score == scores[1].score
    (names,) = (tmp_path / "shards/x-s0/probes").glob("images-*.txt")
    assert names.read_text().splitlines()[:2] == ["0.tar/ant/000.jpg", "0.tar/ant/001.jpg"]


def test_a_run_that_is_killed_within_an_epoch_ends_in_the_same_bytes(sets: Path, tmp_path: Path, dcp: Callable) -> None:
    keys = (*of(sets, "shards"), "probe.after=[]")
    command = [sys.executable, "-m", "dcp", "pretrain", *keys, "--runs", str(tmp_path / "a")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    metrics = tmp_path / "a/x-s0/metrics.jsonl"
    while process.poll() is None and not (metrics.exists() and metrics.read_bytes().count(b'"step"') >= 8):
        pass
    process.kill()
    process.communicate()
    assert dcp("pretrain", *keys, "--runs", tmp_path / "a", "--resume").code == 0
    assert dcp("pretrain", *keys, "train.workers=0", "--runs", tmp_path / "b").code == 0
    assert weights(tmp_path / "a") == weights(tmp_path / "b")


def test_other_tars_are_refused_on_resume_and_wrong_ones_before_anything_is_written(
    sets: Path, tmp_path: Path, dcp: Callable
) -> None:
    shutil.copytree(sets / "shards", tmp_path / "shards")
    keys = (*of(tmp_path, "shards"), "probe.after=[]")
    assert dcp("pretrain", *keys, "train.epochs=1", "--runs", tmp_path / "runs").code == 0
    with tarfile.open(tmp_path / "shards/train/1.tar", "a") as tar:
        tar.add(sets / "folder/train/cat/000.jpg", "cat/more.jpg")
        info = tarfile.TarInfo("cat/more.cls")
        info.size = 1
        tar.addfile(info, io.BytesIO(b"1"))
    said = dcp("pretrain", *keys, "train.epochs=1", "--runs", tmp_path / "runs", "--resume")
    assert (said.code, "error[data-differ]" in said.err) == (2, True)
    (tmp_path / "shards/train/1.tar").write_bytes(b"")
    said = dcp("pretrain", *keys, "--runs", tmp_path / "none")
    assert (said.code, said.err.count("error["), "it is empty" in said.err) == (2, 1, True)
    assert not (tmp_path / "none").exists()
