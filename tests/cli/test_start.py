"""How fast and how lightly commands start."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


def test_help_version_and_comparing_do_not_import_torch(trained: Path, other: Path) -> None:
    for words in (["--help"], ["--version"], ["compare", str(trained), str(other)]):
        code = f"import sys; from dcp.cli.app import run; assert run({words}) == 0; assert 'torch' not in sys.modules"
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.slow
def test_help_answers_within_0_7_s() -> None:
    took = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "dcp", "--help"], check=True, capture_output=True)
        took.append(time.perf_counter() - started)
    assert min(took) < 0.7, took


def ended(work: str) -> "subprocess.CompletedProcess[str]":
    """The command line, which does this instead of a command."""
    code = f"import os, signal, sys\nfrom dcp.cli import app\ndef work(**_):\n    {work}\napp.app = work\napp.main()"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.skipif(not hasattr(signal, "SIGUSR2"), reason="this system has no SIGUSR2")
def test_what_asks_for_a_checkpoint_ends_no_command() -> None:
    assert ended("os.kill(os.getpid(), signal.SIGUSR2)").returncode == 0


@pytest.mark.parametrize(
    ("work", "code", "err"),
    [
        ("sys.exit()", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("sys.exit(0)", 0, ""),
        ("sys.exit('no way')", 1, "no way\n"),
        ("sys.exit('')", 1, "\n"),
    ],
)
def test_an_exit_of_a_library_keeps_its_code_and_its_text(work: str, code: int, err: str) -> None:
    done = ended(work)
    assert (done.returncode, done.stderr) == (code, err)
