"""What killed writers leave goes, and nothing else does: not in a run folder, and least of all beside one."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import save_file
from torch import nn, optim

import dcp
from dcp.errors import RunError
from dcp.runs import checkpoint, disk
from dcp.runs.run import Run

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(dcp.__file__).parents[1])}
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
MINE = [  # what a user may have, in the end of whose names some program took pleasure
    *(".notes.tmp", ".cache.12-ab.tmp", ".run.json.tmp", ".run.json.1.tmp", ".run.json.1-DEADBEEF.tmp"),
    *(".run.json.1-deadbeef.tmp.bak", "run.json.1-deadbeef.tmp", ".photo.png.1-deadbeef.tmp", ".1-deadbeef.tmp"),
    *(".tmpAbC123", ".run.json.x-deadbeef.tmp", ".run.json.1-deadbeef0.tmp", ".tiny-s00.1-deadbeef.tmp"),
]


def old(path: Path, content: str = "mine") -> Path:
    """A file of long ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    os.utime(path, (0, 0))
    os.utime(path.parent, (0, 0))
    return path


def users(folder: Path) -> set[Path]:
    """Hidden files, and folders with a file in them, that are a user's own."""
    made = {old(folder / name) for name in MINE}
    return made | {old(folder / f"{name[:-4]}-folder{name[-4:]}" / "a") for name in MINE}


def test_hidden_files_and_folders_of_a_user_stay_whatever_dcp_makes_beside_them(tmp_path: Path, dcp: Callable) -> None:
    mine = users(tmp_path)
    run = Run.create(tmp_path, "tiny", 0, "", {})
    for folder in (run.path, run.path / "checkpoint", run.path / "probes"):
        mine |= users(folder)
    assert dcp("theory", "theory/threshold", "--out", tmp_path / "results").code == 0
    with run.lock():
        run.update(status="done")
        run.write_probe("knn", {"score": {}})
    assert not [path for path in mine if path.read_text() != "mine"]


def test_what_was_left_of_the_very_folder_that_is_made_goes_after_an_hour_and_only_what_dcp_writes(
    tmp_path: Path,
) -> None:
    names = (".tiny-s0.1-deadbeef.tmp", ".tiny-s0.2-deadbeef.tmp", ".tiny-s0.3-deadbeef.tmp", ".tiny-s1.1-deadbeef.tmp")
    for name in names:
        old(tmp_path / name / "run.json")
    old(tmp_path / names[1] / "diary.txt")
    os.utime(tmp_path / names[2], (time.time() - 3500,) * 2)
    Run.create(tmp_path, "tiny", 0, "", {})
    assert sorted(path.name for path in tmp_path.glob(".*")) == sorted(names[1:])
    assert (tmp_path / names[1] / "diary.txt").read_text() == "mine"


@POSIX
def test_a_process_killed_while_it_writes_a_checkpoint_leaves_nothing_for_ever(tmp_path: Path) -> None:
    run = Run.create(tmp_path, "tiny", 0, "", {})
    code = """
import os, sys
from dcp.runs.disk import replacing_inside
from dcp.runs.run import Run
run = Run.open(sys.argv[1])
with run.lock(), run.reserving():
    with replacing_inside(run.path, "checkpoint/state.safetensors", run.verify) as lent:
        lent.with_name(".tmpA1b2C3").write_bytes(b"x" * 10_000)  # as safetensors does beside its target
        with replacing_inside(run.path, "run.json", run.verify) as lent:
            lent.write_bytes(b"{}")
            os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", code, run.path], env=ENVIRONMENT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert len([path for path in run.path.rglob(".*") if path.is_dir()]) == 2
    with run.lock():
        assert [path.name for path in run.path.rglob(".*") if path.is_dir()] == []
    with run.lock(), run.reserving():
        pass
    assert [path.name for path in run.path.rglob(".*")] == []


def test_a_checkpoint_that_fails_keeps_the_one_before_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = nn.Linear(2, 2)
    parts = method, optim.SGD(method.parameters()), None
    checkpoint.save(tmp_path, *parts, {"next_step": 1})

    def fail(tensors: dict, path: Path, metadata: dict) -> None:
        save_file(tensors, path)
        path.with_name(".tmpA1b2C3").touch()
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(checkpoint, "save_file", fail)
    with pytest.raises(RunError, match="cannot-write"):
        checkpoint.save(tmp_path, *parts, {"next_step": 2})
    assert checkpoint.load(tmp_path, *parts) == {"next_step": 1}
    assert [path.name for path in (tmp_path / "checkpoint").iterdir()] == ["state.safetensors"]


def test_a_leftover_that_is_a_link_goes_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    run, target = Run.create(tmp_path, "tiny", 0, "", {}), old(tmp_path / "mine" / "a")
    (run.path / ".run.json.1-deadbeef.tmp").symlink_to(target.parent)
    old(run.path / ".run.json.2-deadbeef.tmp" / "run.json").with_name("link").symlink_to(target)
    with run.lock():
        pass
    assert [path.name for path in run.path.glob(".*")] == []
    assert target.read_text() == "mine"


def test_the_hidden_names_that_dcp_makes_are_those_that_it_sweeps() -> None:
    names = ("run.json", "recipe.toml", "metrics.jsonl", "report.html", "linear@cifar100.safetensors", ".clock")
    for name in (*names, "images-0123456789abcdef.txt"):
        assert disk.LEFTOVER.fullmatch(disk.beside(Path(name)).name), name
