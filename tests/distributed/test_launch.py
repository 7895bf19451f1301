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


def start(runs: Path, *more: str) -> subprocess.Popen[str]:
    """A long training in two processes, as far as its first lines."""
    command = [sys.executable, "-m", "dcp", "pretrain", *LONG, "--device", "cpu", "--runs", str(runs), *more]
    metrics = runs / "group_norm-s0" / "metrics.jsonl"
    metrics.unlink(missing_ok=True)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not metrics.exists() and process.poll() is None:
        time.sleep(0.05)
    return process


def children(process: subprocess.Popen[str]) -> list[int]:
    """The processes that it started."""
    tasks = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(one) for one in tasks.read_text().split()]


def ended(numbers: list[int], within_s: float) -> bool:
    """Whether all of these processes end in that time."""
    until = time.monotonic() + within_s
    while any(Path(f"/proc/{number}/stat").exists() and state(number) != "Z" for number in numbers):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def state(number: int) -> str:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find the processes")


def test_sigusr2_saves_and_goes_on_and_sigterm_saves_in_all_and_ends_with_143(tmp_path: Path) -> None:
    process, run = start(tmp_path), tmp_path / "group_norm-s0"
    process.send_signal(signal.SIGUSR2)
    until = time.monotonic() + 60
    while not (run / "checkpoint/state.safetensors").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert (run / "checkpoint/state.safetensors").exists()
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=90)
    assert process.returncode == 143, err
    assert err.count("checkpoint was saved") == 1
    assert Run.open(run).record.status == "interrupted"


@proc
@pytest.mark.parametrize("rank", [0, 1])
def test_when_one_is_killed_the_other_ends_and_it_is_said_once_with_1(rank: int, tmp_path: Path) -> None:
    process = start(tmp_path)
    os.kill(children(process)[rank], signal.SIGKILL)
    _, err = process.communicate(timeout=90)
    assert process.returncode == 1, err
    assert "Traceback" not in err
    assert err.count("error[") == 1
    assert err.startswith(f"error[process-lost]: process {rank} of 2 was ended by signal 9")
    record = Run.open(tmp_path / "group_norm-s0").record
    assert (record.status, record.error) == ("failed", "process-lost")


@proc
def test_when_the_command_is_killed_its_processes_end_and_resuming_works_at_once(tmp_path: Path) -> None:
    process = start(tmp_path)
    workers = children(process)
    process.kill()
    process.communicate(timeout=90)
    assert ended(workers, within_s=5)
    process = start(tmp_path, "--resume")
    process.send_signal(signal.SIGINT)  # to the command alone, as no terminal does
    _, err = process.communicate(timeout=90)
    assert process.returncode == 130, err
    assert err.count("checkpoint was saved") == 1


def test_where_the_first_process_is_refused_what_it_was_to_fetch_the_others_do_not_wait_for_it(tmp_path: Path) -> None:
    words = ("tiny/directcopy", "data.source=shards", f'data.root="{tmp_path / "none"}"', "data.image_size=16")
    command = [sys.executable, "-m", "dcp", "pretrain", *words, "--device", "cpu", "--processes", "2"]
    done = subprocess.run([*command, "--runs", str(tmp_path)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert done.stderr.count("error[") == 1
    assert "error[missing-folder]" in done.stderr
