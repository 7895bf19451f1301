"""Images that cannot be decoded, where another takes their place: what is trained, noted and measured."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dcp.data import image_lists
from dcp.data.broken_files import Undecodable
from dcp.data.image_lists import Files
from dcp.errors import RunError
from dcp.hardware.processes import Process
from dcp.runs import checkpoint
from dcp.runs.run import Run

SMALL = ("data.image_size=16", "train.batch=8", "train.epochs=3", "probe.after=[]", "run.name=x", "data.broken=skip")
BROKEN = {"train/b/1.png": "train/b/2.png", "train/a/5.png": "train/a/0.png"}  # the last of a folder has the first


def make(root: Path, broken: tuple[str, ...] = tuple(BROKEN)) -> tuple[str, ...]:
    """Images of three classes, some cut short; what names them to a recipe."""
    draw = np.random.default_rng(0)
    for split, each in (("train", 6), ("val", 4)):
        for name in "abc":
            for i in range(each):
                path = root / split / name / f"{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(draw.integers(0, 256, (20, 24, 3), np.uint8)).save(path)
    for name in broken:
        path = root / name
        path.write_bytes(path.read_bytes()[:200])
    return ("data.source=folder", f"data.root={json.dumps(str(root))}", *SMALL)


@pytest.fixture
def train(dcp: Callable, tmp_path: Path) -> Callable:
    """`dcp pretrain tiny/directcopy` with further words, into a folder of a name."""
    return lambda to, *words: dcp("pretrain", "tiny/directcopy", *words, "--runs", tmp_path / to, "--device", "cpu")


def encoder(folder: Path) -> bytes:
    """The weights, without the header, which says how many readers there were."""
    data = (folder / "x-s0/encoder.safetensors").read_bytes()
    return data[8 + int.from_bytes(data[:8], "little") :]


def test_the_weights_are_those_of_a_folder_in_which_the_next_image_lies_in_the_broken_ones_place(
    train: Callable, tmp_path: Path
) -> None:
    assert train("skipped", *make(tmp_path / "data"), "train.workers=0").code == 0
    sets = make(tmp_path / "whole", broken=())
    for name, other in BROKEN.items():
        shutil.copy(tmp_path / "whole" / other, tmp_path / "whole" / name)
    assert train("whole_runs", *sets, "train.workers=0", "data.broken=stop").code == 0
    assert encoder(tmp_path / "skipped") == encoder(tmp_path / "whole_runs")


def test_any_number_of_readers_gives_the_same_weights_and_names_the_same_images(
    train: Callable, tmp_path: Path
) -> None:
    sets, seen = make(tmp_path / "data"), []
    for workers in (0, 1, 2):
        said = train(f"w{workers}", *sets, f"train.workers={workers}")
        assert said.code == 0, said.err
        record = json.loads((tmp_path / f"w{workers}/x-s0/run.json").read_text())
        seen.append((encoder(tmp_path / f"w{workers}"), record["data"]["broken"], record["data"]["n"]))
        assert f"{tmp_path}/data/train/b/1.png cannot be decoded: b/2.png takes its place" in said.out
        assert "2 images cannot be decoded; the next in their folders take their place" in " ".join(said.out.split())
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][1:] == ({"images": 2, "files": {"a/5.png": "a/0.png", "b/1.png": "b/2.png"}}, 18)


def test_a_run_that_a_broken_image_has_stopped_goes_on_without_it(train: Callable, tmp_path: Path) -> None:
    sets = make(tmp_path / "data")
    stopped = train("runs", *sets[:-1], "train.workers=0")
    assert stopped.code == 1
    assert "error[broken-image]" in stopped.err
    assert "--resume data.broken=skip" in stopped.err
    assert train("runs", *sets, "train.workers=0", "--resume").code == 0
    assert train("at_once", *sets, "train.workers=0").code == 0
    assert encoder(tmp_path / "runs") == encoder(tmp_path / "at_once")


def test_what_an_earlier_sitting_has_found_stays_in_the_record(
    train: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets, decode, calls = make(tmp_path / "data"), Files.decode, []

    def counted(files: Files, i: int) -> object:
        calls.append(i)
        if len(calls) == 30:
            os.kill(os.getpid(), signal.SIGINT)
        return decode(files, i)

    monkeypatch.setattr(Files, "decode", counted)
    assert train("runs", *sets, "train.workers=0").code == 130
    first = Run.open(tmp_path / "runs/x-s0").record.data.model_extra["broken"]
    assert first["images"] == 2
    assert train("runs", *sets, "train.workers=0", "--resume").code == 0
    assert Run.open(tmp_path / "runs/x-s0").record.data.model_extra["broken"] == first
    assert train("at_once", *sets, "train.workers=0").code == 0
    assert encoder(tmp_path / "runs") == encoder(tmp_path / "at_once")


def test_what_readers_have_found_is_saved_and_named_without_reading_an_image(
    train: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets, decode, main = make(tmp_path / "data"), Files.decode, os.getpid()

    def in_readers(files: Files, i: int) -> object:
        if os.getpid() == main:
            raise RunError("its disk has gone", slug="broken-image", where=str(i))
        return decode(files, i)

    monkeypatch.setattr(Files, "decode", in_readers)
    said = train("runs", *sets, "train.workers=1")
    assert said.code == 0, said.err
    broken = Run.open(tmp_path / "runs/x-s0").record.data.model_extra["broken"]
    assert broken == {"images": 2, "files": {"a/5.png": "a/0.png", "b/1.png": "b/2.png"}}


def test_an_image_that_cannot_be_read_when_a_checkpoint_is_due_does_not_keep_it_from_being_saved(
    train: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets, total, gone = make(tmp_path / "data"), Process.total, []

    def decode(files: Files, i: int) -> None:
        gone.append((tmp_path / "runs/x-s0" / checkpoint.FILE).exists())
        raise RunError("its disk has gone", slug="broken-image", where=str(i))

    def of_two(process: Process, marks: torch.Tensor) -> torch.Tensor:
        if marks.dtype == torch.int32 and len(marks) == 18:  # another process has found a third one
            monkeypatch.setattr(Files, "decode", decode)
            return marks.index_fill(0, torch.tensor([3]), 1)
        return total(process, marks)

    monkeypatch.setattr(Process, "total", of_two)
    said = train("runs", *sets, "train.workers=0", "train.save_every=9")
    assert said.code == 0, said.err
    assert gone == [True]
    broken = Run.open(tmp_path / "runs/x-s0").record.data.model_extra["broken"]
    assert broken["files"] == {"a/5.png": "a/0.png", "b/1.png": "b/2.png"}
    assert broken["images"] == 3


@pytest.mark.slow
def test_two_processes_name_what_either_has_found_and_train_as_if_the_other_image_lay_there(tmp_path: Path) -> None:
    sets, whole = make(tmp_path / "data"), make(tmp_path / "whole", broken=())
    for name, other in BROKEN.items():
        shutil.copy(tmp_path / "whole" / other, tmp_path / "whole" / name)
    for to, words in (("skipped", sets), ("whole_runs", whole)):
        command = [sys.executable, "-m", "dcp", "pretrain", "tiny/group_norm", *words, "train.workers=1"]
        command += ["--processes", "2", "--runs", str(tmp_path / to), "--device", "cpu"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert encoder(tmp_path / "skipped") == encoder(tmp_path / "whole_runs")
    broken = Run.open(tmp_path / "skipped/x-s0").record.data.model_extra["broken"]
    assert broken == {"images": 2, "files": {"a/5.png": "a/0.png", "b/1.png": "b/2.png"}}


def test_a_broken_test_image_is_left_out_and_the_others_keep_their_names(train: Callable, tmp_path: Path) -> None:
    sets = make(tmp_path / "data", (*BROKEN, "val/b/3.png"))
    said = train("runs", *sets, "train.workers=0", 'probe.after=["knn"]', "probe.knn.k=3")
    assert said.code == 0, said.err
    assert "1 of 12 test images cannot be decoded, and are left out" in said.out
    run = Run.open(tmp_path / "runs/x-s0")
    assert run.probes()["knn"].n == 11
    (listed,) = (run.path / "probes").glob("images-*.txt")
    names = listed.read_text().splitlines()
    assert len(names) == 11
    assert "b/3.png" not in names
    assert [run.probes()["knn"].n, len(run.predictions("knn")["label"])] == [11, 11]


# which image takes the place


def files(root: Path, *names: str, broken: tuple[str, ...] = ()) -> Files:
    """A list of images, each of another grey level, that skips broken ones."""
    for i, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), 10 * i).save(path)
        if name in broken:
            path.write_bytes(b"no image")
    return replace(Files.listed(root, [name.encode() for name in names]), skips=True)


def test_the_next_whole_image_of_the_same_first_folder_takes_the_place(tmp_path: Path) -> None:
    listed = files(
        tmp_path, "a/0.png", "a/1.png", "b/0.png", "b/1.png", "b/c/2.png", broken=("a/1.png", "b/0.png", "b/1.png")
    )
    assert [int(listed.decode(i)[0, 0, 0]) // 10 for i in range(5)] == [0, 0, 4, 4, 4]
    assert listed.in_place == {1: 0, 2: 4, 3: 4}
    assert listed.subset(torch.tensor([0, 4])).in_place == {}


def test_a_folder_without_a_whole_image_is_an_error_and_so_are_very_many_broken_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = files(tmp_path / "one", "a/0.png", "b/0.png", broken=("b/0.png",))
    with pytest.raises(Undecodable, match="it is no") as caught:
        listed.decode(1)
    assert caught.value.where.endswith("b/0.png")
    monkeypatch.setattr(image_lists, "MOST_TRIED", 2)
    names = [f"{i}.png" for i in range(5)]
    assert int(files(tmp_path / "two", *names, broken=("0.png", "1.png")).decode(0)[0, 0, 0]) == 20
    with pytest.raises(Undecodable):
        files(tmp_path / "three", *names, broken=("0.png", "1.png", "2.png")).decode(0)


def test_a_file_that_has_gone_or_may_not_be_read_is_an_error_all_the_same(tmp_path: Path) -> None:
    listed = files(tmp_path, "0.png", "1.png")
    (tmp_path / "0.png").unlink()
    with pytest.raises(RunError, match="has gone") as caught:
        listed.decode(0)
    assert not isinstance(caught.value, Undecodable)
    (tmp_path / "0.png").mkdir()
    with pytest.raises(RunError):
        listed.decode(0)
    assert listed.in_place == {}
