"""Run folders of a test's own."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from reported import bare, whole

from dcp.runs.run import Run


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Run]:
    """make(name, seed, predictor=...): a run as `bare` builds it."""
    return partial(bare, tmp_path / "runs")


@pytest.fixture
def full(tmp_path: Path) -> Callable[..., Run]:
    """full(name, seed, wrong=...): a run as `whole` builds it."""
    return partial(whole, tmp_path / "runs")
