"""How fast and how lightly commands start."""

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
