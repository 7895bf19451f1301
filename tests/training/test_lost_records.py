"""A run whose folder is filled up, emptied or carried away while it trains: said in words, and nothing is lost."""

import errno
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from dcp.errors import TERMINATED, ProcessLost, RunBusy, RunError, RunExists
from dcp.hardware.processes import Process
from dcp.recipe.recipe import Recipe
from dcp.runs import disk, held_folder, lease, owner
from dcp.runs.run import Run
from dcp.training import failures, resume
from dcp.training.loop import Loop

WORDS = ("pretrain", "tiny/directcopy", "train.epochs=1", "probe.after=[]", "--runs")
NAME = "directcopy-s0"
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="names of bytes and other processes are POSIX")


def at_first(monkeypatch: pytest.MonkeyPatch, name: str, do: Callable[[Run], None]) -> None:
    """Do something to a run right before its method is called for the first time."""
    real, done = getattr(Run, name), []

    def method(self: Run, *args: object, **more: object) -> object:
        if not done:
            done.append(do(self))
        return real(self, *args, **more)

    monkeypatch.setattr(Run, name, method)


def full(monkeypatch: pytest.MonkeyPatch, *, for_ever: bool = False) -> None:
    """From the first line of metrics on the disk has no room but for what the reserve took."""
    flush = disk._flush_to_disk

    def no_room(path: Path) -> None:
        if for_ever or any((parent / held_folder.RESERVE).exists() for parent in path.parents):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(path)

    at_first(monkeypatch, "append", lambda run: monkeypatch.setattr(disk, "_flush_to_disk", no_room))


def test_a_disk_that_is_full_leaves_room_for_the_reason(
    tmp_path: Path, dcp: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    full(monkeypatch)
    said = dcp(*WORDS, tmp_path)
    assert said.code == 1
    assert said.err.startswith("error[disk-full]")
    record = json.loads((tmp_path / NAME / "run.json").read_text())
    assert (record["status"], record["error"]) == ("failed", "disk-full")
    assert [path for path in tmp_path.rglob(".*")] == []


def test_a_record_that_cannot_be_written_is_said_on_the_screen(
    tmp_path: Path, dcp: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        full(patch, for_ever=True)
        said = dcp(*WORDS, tmp_path)
    assert said.code == 1
    run = Run.open(tmp_path / NAME)
    words = f'{run.path / "run.json"} still says "running", and cannot be written: the disk is full\nerror[disk-full]'
    assert said.err.startswith(words)
    assert run.status == "killed"
    assert dcp(*WORDS, tmp_path, "--resume").code == 0
    assert Run.open(run.path).status == "done"


def test_a_reserve_for_which_there_is_no_room_fails_the_run_before_it_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.create(tmp_path, "a", 0, "", {})

    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "urandom", no_room)
    with pytest.raises(RunError, match="disk-full"), run.lock(), failures.noted(run.path, run):
        raise AssertionError
    assert Run.open(run.path).record.error == "disk-full"


def test_a_record_that_is_removed_fails_the_run_and_is_written_again_so_that_it_can_go_on(
    tmp_path: Path, dcp: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        at_first(patch, "append", lambda run: (run.path / "run.json").unlink())
        said = dcp(*WORDS, tmp_path)
    assert said.code == 1
    assert said.err.startswith("error[record-lost]: run.json was removed while the run was being written")
    record = Run.open(tmp_path / NAME).record
    assert (record.status, record.error) == ("failed", "record-lost")
    assert record.data.n is not None  # what was known stands there again
    assert dcp(*WORDS, tmp_path, "--resume").code == 0


def test_a_record_that_is_damaged_is_left_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run.create(tmp_path, "a", 0, "", {})
    with run.lock():
        (run.path / "run.json").write_text("{mine")
        with pytest.raises(RunError, match="record-lost"), failures.noted(run.path, run):
            run.update(steps=1)
    assert (run.path / "run.json").read_text() == "{mine"
    assert "still says" in capsys.readouterr().err


def test_a_run_whose_folder_was_renamed_and_begun_again_ends_in_words_and_leaves_the_new_one_alone(
    tmp_path: Path, dcp: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin_again(run: Run) -> None:
        run.path.rename(tmp_path / "old")
        shutil.copytree(tmp_path / "old", run.path)
        (run.path / lease.FILE).write_bytes(owner.Owner.me().data())

    at_first(monkeypatch, "append", begin_again)
    said = dcp(*WORDS, tmp_path)
    assert said.code == 1
    assert said.err.startswith("error[run-moved]")
    assert not (tmp_path / NAME / "metrics.jsonl").exists()
    assert json.loads((tmp_path / NAME / "run.json").read_text())["status"] == "running"


def test_a_checkpoint_and_the_encoder_are_not_written_into_anothers_run(
    tmp_path: Path, dcp: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(run: Run) -> None:
        (run.path / lease.FILE).write_bytes(owner.Owner.me().data())  # the same file, as far as numbers tell

    monkeypatch.setattr(lease, "_identity", lambda path: (0, 0))
    at_first(monkeypatch, "append", lose)
    said = dcp(*WORDS, tmp_path)
    assert said.code == 1
    assert said.err.startswith("error[lease-lost]: another process has taken the run over: process ")
    there = {path.name for path in (tmp_path / NAME).iterdir()}
    assert there == {"recipe.toml", "run.json", "metrics.jsonl", ".lease", ".reserve"}  # the other's, the last two


# who else has it


@pytest.mark.parametrize(("resumes", "kind"), [(False, RunExists), (True, None)])
def test_a_run_that_is_there_is_busy_as_long_as_it_is_being_trained(
    trained: Path, tmp_path: Path, resumes: bool, kind: type[Exception] | None
) -> None:
    path = Path(shutil.copytree(trained, tmp_path / trained.name))
    recipe = Recipe.read("tiny/directcopy")
    with Run.open(path).lock(), pytest.raises(RunBusy, match=f"process {os.getpid()} on"):
        resume.existing(path, recipe, resume=resumes)
    if kind is None:
        assert resume.existing(path, recipe, resume=resumes) is not None
    else:
        with pytest.raises(kind):
            resume.existing(path, recipe, resume=resumes)


def test_a_run_that_was_killed_is_told_as_such_by_compare_and_probe_and_resume_goes_on_with_it(
    trained: Path, other: Path, tmp_path: Path, dcp: Callable
) -> None:
    run = Run.open(shutil.copytree(trained, tmp_path / trained.name))
    run.update(status="running")
    words = 'directcopy-s0 is not finished: it was killed, as its status says "running" but no process writes to it.'
    assert words in " ".join(dcp("compare", run.path, other).out.split())
    said = " ".join(dcp("probe", run.path, "-e", "spectrum").out.split())
    assert "directcopy-s0: killed" in said
    assert "Not finished: it was killed (its status says" in said
    with run.lock():
        assert "directcopy-s0 is not finished: it is running." in " ".join(dcp("compare", run.path, other).out.split())
    said = dcp("pretrain", "tiny/directcopy", "--runs", tmp_path, "--resume")
    assert said.code == 0
    assert f"{run.path} was killed" in said.out
    assert Run.open(run.path).status == "done"


@pytest.fixture
def of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is one of two that train together."""
    for name, value in (("WORLD_SIZE", "2"), ("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", "1234")):
        monkeypatch.setenv(name, value)


def fails(run: Run, writes: Run | None, error: Exception) -> None:
    with pytest.raises(type(error)), failures.noted(run.path, writes):
        raise error


ITS_OWN = RunError("it is torn", slug="broken-image", where="a.png")
GLOO = "[/third_party/gloo/gloo/transport/tcp/pair.cc:5] Read error [127.0.0.1]:1: Connection reset by peer"


@pytest.mark.usefixtures("of_two")
def test_another_process_of_a_training_writes_nothing_into_a_run_that_is_held_and_its_reason_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.create(tmp_path, "a", 0, "", {})

    def lost() -> None:
        before = {name: (run.path / name).read_bytes() for name in ("run.json", held_folder.RESERVE)}
        for error in (ProcessLost("it too", slug="process-lost"), ITS_OWN):
            fails(run, None, error)
        assert {name: (run.path / name).read_bytes() for name in before} == before
        raise RuntimeError(GLOO)

    with run.lock(), pytest.raises(ProcessLost), failures.noted(run.path, run):
        lost()
    record = Run.open(run.path).record
    assert (record.status, record.error) == ("failed", "broken-image")
    assert "a.png" in record.why
    assert {path.name for path in run.path.iterdir()} == {"run.json", "recipe.toml"}


def test_memory_that_runs_out_after_a_signal_is_a_failure_and_no_stop(
    tmp_path: Path, dcp: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(loop: Loop, *_: object) -> None:
        monkeypatch.setenv("WORLD_SIZE", "2")
        loop.agreement.signals.stop, loop.process.count = TERMINATED, 2
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Loop, "train", train)
    said = dcp(*WORDS, tmp_path)
    assert said.code == 1
    assert said.err.startswith("error[out-of-memory]")
    record = Run.open(tmp_path / NAME).record
    assert (record.status, record.error) == ("failed", "out-of-memory")


@pytest.mark.usefixtures("of_two")
def test_a_reason_that_is_left_does_not_hide_that_of_the_process_that_writes(tmp_path: Path) -> None:
    run = Run.create(tmp_path, "a", 0, "", {})
    with run.lock():
        fails(run, None, ITS_OWN)
        fails(run, run, RunError("no room", slug="disk-full"))
    assert Run.open(run.path).record.error == "disk-full"
    assert {path.name for path in run.path.iterdir()} == {"run.json", "recipe.toml"}


@pytest.mark.usefixtures("of_two")
def test_another_process_notes_its_failure_itself_where_the_one_that_writes_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.create(tmp_path, "a", 0, "", {})
    gone = owner.Owner.me()
    gone.ends()
    (run.path / lease.FILE).write_bytes(gone.data())
    fails(run, None, ITS_OWN)
    assert Run.open(run.path).record.error == "broken-image"
    run.update(status="done", error="")
    (run.path / lease.FILE).write_bytes(gone.data())
    fails(run, None, ITS_OWN)
    assert Run.open(run.path).record.status == "done"
    run.update(status="running")
    fails(run, None, ITS_OWN)  # nobody holds it
    monkeypatch.setenv("MASTER_PORT", "5678")
    (run.path / lease.FILE).write_bytes(gone.data())
    fails(run, None, ITS_OWN)  # others did
    assert Run.open(run.path).record.status == "running"


# names


@POSIX
@pytest.mark.parametrize(
    "words",
    [
        ("pretrain", "tiny/directcopy", "--runs", "a\udcff"),
        ("pretrain", "tiny/directcopy", "data={source='folder', root='images\udcff'}"),
        ("theory", "theory/threshold", "--out", "a\udcff"),
        ("theory", "theory/threshold", "--runs", "a\udcff/b"),
        ("probe", "run\udcff"),
        ("compare", "run\udcff", "run\udcff"),
    ],
    ids=lambda words: ascii(" ".join(words)),
)
def test_a_path_that_no_text_can_hold_is_refused_before_anything_is_written(
    words: tuple[str, ...], trained: Path, tmp_path: Path, dcp: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained, "run\udcff")
    Path("images\udcff").mkdir()
    before = sorted(path for path in tmp_path.rglob("*"))
    said = dcp(*words)
    assert said.code == 2
    assert "\\xff" in said.err
    assert "UTF-8" in said.err
    assert sorted(path for path in tmp_path.rglob("*")) == before


@POSIX
def test_a_run_below_such_a_path_is_trained_where_it_is_named_from_inside(
    tmp_path: Path, dcp: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a\udcff").mkdir()
    monkeypatch.chdir(tmp_path / "a\udcff")
    assert dcp("pretrain", "tiny/directcopy", "train.epochs=1", "probe.after=['spectrum']").code == 0
    assert dcp("probe", "directcopy", "-e", "spectrum", "--json").code == 0


def test_a_process_that_is_lost_before_the_training_begins_is_said_in_words(
    tmp_path: Path, dcp: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait(self: Process) -> None:
        monkeypatch.setenv("WORLD_SIZE", "2")
        raise RuntimeError(GLOO)

    monkeypatch.setattr(Process, "wait", wait)
    said = dcp(*WORDS, tmp_path)
    assert said.code == 1
    assert said.err.startswith("error[process-lost]")


@pytest.mark.parametrize(("size", "text"), [("1", GLOO), ("2", "wandb: [Errno 104] Connection reset by peer")])
def test_what_is_no_word_of_another_process_stays_what_it_is(
    size: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", size)
    with pytest.raises(RuntimeError) as caught, failures.in_words(tmp_path):
        raise RuntimeError(text)
    assert str(caught.value) == text
