"""Several processes started by dcp itself: whatever ends one of them ends all, with the right exit code."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dcp.runs.run import Run

LONG = ("tiny/group_norm", "train.epochs=500", "train.log_every=1", "probe.after=[]", "--processes", "2")


def start(runs: Path) -> subprocess.Popen[str]:
    """A long training in two processes, as far as its first lines."""
    command = [sys.executable, "-m", "dcp", "pretrain", *LONG, "--device", "cpu", "--runs", str(runs)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    metrics = runs / "group_norm-s0" / "metrics.jsonl"
    while not metrics.exists() and process.poll() is None:
        time.sleep(0.05)
    return process


def children(process: subprocess.Popen[str]) -> list[int]:
    """The processes that it started."""
    tasks = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(one) for one in tasks.read_text().split()]


def test_sigterm_saves_in_all_and_ends_with_143(tmp_path: Path) -> None:
    process = start(tmp_path)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=90)
    assert process.returncode == 143, err
    assert err.count("checkpoint was saved") == 1
    assert Run.open(tmp_path / "group_norm-s0").record.status == "interrupted"


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find the processes")
def test_when_one_is_killed_the_other_ends_in_words_with_1(tmp_path: Path) -> None:
    process = start(tmp_path)
    os.kill(children(process)[1], signal.SIGKILL)
    _, err = process.communicate(timeout=90)
    assert process.returncode == 1, err
    assert "Traceback" not in err
    assert "another process of this run ended" in err
