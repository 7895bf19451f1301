"""What the README shows: the quickstart learns, and the same recipe without a predictor collapses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dcp.runs.run import Run


def pretrain(runs: Path, *sets: str) -> Run:
    """A run of the quickstart, on all cores."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    command = [sys.executable, "-m", "dcp", "pretrain", "quickstart", "--runs", str(runs), "--quiet", *sets]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return Run.open(next(runs.iterdir()))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_quickstart_learns_and_its_identity_twin_collapses(tmp_path: Path) -> None:
    run, twin = pretrain(tmp_path / "a"), pretrain(tmp_path / "b", "predictor.name=identity")
    linear, control = run.probes()["linear"], twin.probes()["linear"]
    assert run.record.state.name == "healthy"
    assert linear.score["top1"] > max(0.7, linear.random_encoder.score["top1"] + 0.3)
    assert twin.record.state.name == "complete collapse"
    assert control.score["top1"] < control.random_encoder.score["top1"] + 0.08  # 5 points, and chance
