"""Several processes over gloo against one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dcp.cli import app
from dcp.errors import RequestError
from dcp.method.weights import read
from dcp.recipe import build
from dcp.recipe.recipe import Recipe
from dcp.runs.run import Run
from distributed.trainings import CASES, words

SCRIPT = Path(__file__).with_name("trainings.py")


def completed(*words: str) -> "subprocess.CompletedProcess[str]":
    """Python with these words."""
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=200, check=False)


@pytest.fixture(scope="module")
def torchrun(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of what two processes of torchrun have trained, and what they printed of errors."""
    folder = tmp_path_factory.mktemp("two")
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    done = completed(*launcher, str(SCRIPT), str(folder))
    assert done.returncode == 0, done.stderr
    return folder, done.stderr


@pytest.fixture(scope="module")
def two(torchrun: tuple[Path, str]) -> Path:
    return torchrun[0]


def run_of(folder: Path) -> Run:
    return Run.open(folder / "group_norm-s0")


def assert_same(together: Run, alone: Run, *, loss: float, tensor: str, atol: float) -> None:
    assert together.record.processes == 2
    losses = [torch.tensor([line["loss"] for line in run.metrics("step")]) for run in (together, alone)]
    assert len(losses[1]) >= 12
    torch.testing.assert_close(*losses, atol=loss, rtol=0)
    torch.testing.assert_close(
        *(read(run.path / "checkpoint/state.safetensors")[0][tensor] for run in (together, alone)),
        atol=atol,
        rtol=max(atol, 1e-4),
    )


TOLERANCES = ((1e-5, "moments.second", 1e-5), (1e-5, "moments.second", 1e-5), (1e-4, "predictor.W", 1e-3),
              (1e-4, "predictor.weights", 1e-3))  # fmt: skip


@pytest.mark.parametrize(("case", "tolerance"), zip(CASES, TOLERANCES, strict=True), ids=list(CASES))
def test_two_processes_with_shares_of_a_batch_give_the_losses_and_statistics_of_one(
    case: str, tolerance: tuple[float, str, float], two: Path, tmp_path: Path
) -> None:
    assert app.run(words(case, tmp_path)) == 0
    loss, tensor, atol = tolerance
    assert_same(run_of(two / case), run_of(tmp_path / case), loss=loss, tensor=tensor, atol=atol)


def test_processes_that_dcp_starts_give_what_those_of_torchrun_give(two: Path, tmp_path: Path) -> None:
    done = completed("-m", "dcp", *words("F", tmp_path), "--processes", "2")
    assert done.returncode == 0, done.stderr
    assert_same(run_of(tmp_path / "F"), run_of(two / "F"), loss=1e-6, tensor="moments.second", atol=1e-6)


def test_every_process_has_the_same_F_W_and_weights(two: Path) -> None:
    ranks = [json.loads((two / f"{rank}.json").read_text()) for rank in (0, 1)]
    assert ranks[0] == ranks[1]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find the threads")
def test_the_threads_that_may_hold_a_tensor_are_gone_before_python_is(two: Path) -> None:
    for rank in (0, 1):
        assert int((two / f"{rank}.after").read_text()) < int((two / f"{rank}.before").read_text())


def test_synchronised_batch_norm_on_cpus_is_refused_in_words_by_one_of_them(torchrun: tuple[Path, str]) -> None:
    folder, errors = torchrun
    assert errors.count("needs GPUs") == 1
    assert "Traceback" not in errors
    assert not list(folder.glob("directcopy*"))


def test_a_batch_too_small_for_the_processes_is_refused() -> None:
    with pytest.raises(RequestError, match="two images in each"):
        build.plan(Recipe.read("tiny/directcopy", ("train.batch=6",)), 100, 4)
