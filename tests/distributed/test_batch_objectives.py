"""Objectives that see the whole batch: two processes with shares of it give what one gives with all of it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distributed.batch_objectives import NAMES

SCRIPT = Path(__file__).with_name("batch_objectives.py")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What both ways of computing gave, by objective."""
    path = tmp_path_factory.mktemp("shares") / "found.json"
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run([*launcher, str(SCRIPT), str(path)], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(path.read_text())


@pytest.mark.parametrize("name", NAMES)
def test_losses_and_gradients_over_two_processes_are_those_of_one(name: str, found: dict[str, Any]) -> None:
    (losses, slopes), (wanted, wanted_slopes) = found[name]["two"], found[name]["one"]
    assert len(losses) == 9
    np.testing.assert_allclose(losses, wanted, rtol=1e-10)
    for slope, right in zip(slopes, wanted_slopes, strict=True):
        assert np.abs(right).max() > 1e-3
        np.testing.assert_allclose(slope, right, rtol=1e-9, atol=1e-12)


def test_every_objective_of_the_batch_was_tried(found: dict[str, Any]) -> None:
    assert sorted(found) == NAMES
    assert {"balance", "barlow", "correlation", "ntxent", "spectral_contrastive", "vicreg"} <= set(NAMES)
    assert {"coding_rate", "mmcr", "peira", "sigreg", "ssl_ey", "visreg"} <= set(NAMES)
