"""Shared by all tests: one thread, no stray data root, and the command line as a function."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from built_runs import build as build

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch starts its pool: several tests run on few cores
os.environ.setdefault("TQDM_DISABLE", "1")


class Said(NamedTuple):
    """What a command said and how it ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def dcp(capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Run a command line in this process."""
    from dcp.cli import app

    def run(*arguments: object) -> Said:
        capfd.readouterr()
        code = app.run([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return Said(code, out, err)

    return run


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one finished and probed tiny run; tests must not change it."""
    import dcp

    return dcp.pretrain("tiny/directcopy", runs=tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def other(trained: Path) -> Path:
    """A second one beside it, with another predictor."""
    import dcp

    return dcp.pretrain("tiny/linear", runs=trained.parent)
