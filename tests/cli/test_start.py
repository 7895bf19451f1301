"""How fast and how lightly commands start."""

import subprocess
import sys
import time

import pytest


def test_help_and_version_do_not_import_torch() -> None:
    for option in ("--help", "--version"):
        code = (
            f"import sys; from dcp.cli.app import run; assert run([{option!r}]) == 0; assert 'torch' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_comparing_does_not_import_torch(trained, other) -> None:
    code = (
        "import sys; from dcp.cli.app import run; "
        f"assert run(['compare', {str(trained)!r}, {str(other)!r}]) == 0; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.slow
def test_help_answers_within_0_7_s() -> None:
    took = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "dcp", "--help"], check=True, capture_output=True)
        took.append(time.perf_counter() - started)
    assert min(took) < 0.7, took
