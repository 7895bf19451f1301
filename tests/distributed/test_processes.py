"""Several processes over gloo against one."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from dcp.errors import RequestError
from dcp.method.weights import read
from dcp.runs.run import Run

RECIPE = (
    "tiny/group_norm", "train.batch=64", "train.epochs=5", "train.log_every=1", "probe.after=[]", "data.limit=256",
    "train.precision=fp32",  # bf16 rounds another sum otherwise, by 2e-4
)  # fmt: skip


def pretrain(runs: Path, *launcher: str, more: tuple[str, ...] = ()) -> Run:
    """A training started by a launcher, in processes of its own."""
    command = [
        sys.executable,
        *launcher,
        "-m",
        "dcp",
        "pretrain",
        *RECIPE,
        "--device",
        "cpu",
        "--runs",
        str(runs),
        *more,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    return next(Run.open(path) for path in runs.iterdir())


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One process of 64 images."""
    return pretrain(tmp_path_factory.mktemp("alone"))


def losses(run: Run) -> list[float]:
    """Of every step."""
    return [line["loss"] for line in run.metrics("step")]


@pytest.mark.parametrize(
    ("launcher", "more"),
    [
        ((), ("--processes", "2")),
        (("-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29571"), ()),
    ],
    ids=["--processes 2", "torchrun"],
)
def test_two_processes_of_32_images_give_the_losses_of_one_of_64(
    alone: Run, tmp_path: Path, launcher: tuple[str, ...], more: tuple[str, ...]
) -> None:
    together = pretrain(tmp_path, *launcher, more=more)
    assert together.record.processes == 2
    assert len(losses(alone)) == 20
    torch.testing.assert_close(torch.tensor(losses(together)), torch.tensor(losses(alone)), atol=1e-5, rtol=0)
    F1, F2 = (read(run.path / "checkpoint/state.safetensors")[0]["moments.second"] for run in (alone, together))
    torch.testing.assert_close(F2, F1, atol=1e-5, rtol=1e-4)


def test_a_batch_that_does_not_divide_evenly_gives_the_losses_of_one_process(tmp_path: Path) -> None:
    odd = ("train.batch=63",)
    one, two = pretrain(tmp_path / "1", more=odd), pretrain(tmp_path / "2", more=(*odd, "--processes", "2"))
    torch.testing.assert_close(torch.tensor(losses(two)), torch.tensor(losses(one)), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("more", "name"),
    [(("predictor.name=regression",), "W"), (("predictor.name=partition", "target.name=filtered"), "weights")],
    ids=["a predictor of F and C", "predictor and target with statistics of their own"],
)
def test_what_is_set_from_the_batch_is_set_from_that_of_all_processes(
    tmp_path: Path, more: tuple[str, ...], name: str
) -> None:
    one, two = pretrain(tmp_path / "1", more=more), pretrain(tmp_path / "2", more=(*more, "--processes", "2"))
    torch.testing.assert_close(torch.tensor(losses(two)), torch.tensor(losses(one)), atol=1e-4, rtol=0)
    W1, W2 = (read(run.path / "checkpoint/state.safetensors")[0][f"predictor.{name}"] for run in (one, two))
    torch.testing.assert_close(W2, W1, atol=1e-3, rtol=1e-3)


def test_every_process_has_the_same_F_W_and_weights(tmp_path: Path) -> None:
    script = Path(__file__).with_name("same_everywhere.py")
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--master-port",
        "29573",
        str(script),
    ]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    one, two = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert one == two
    for rank in (0, 1) if Path("/proc/self/task").exists() else ():  # those that may hold a tensor of Python's are gone
        assert int((tmp_path / f"{rank}.after").read_text()) < int((tmp_path / f"{rank}.before").read_text())


def test_synchronised_batch_norm_on_cpus_is_refused_in_words(tmp_path: Path, dcp: Callable) -> None:
    command = [
        sys.executable,
        "-m",
        "dcp",
        "pretrain",
        "tiny/directcopy",
        "network.sync_norm=true",
        "--processes",
        "2",
    ]
    done = subprocess.run(
        [*command, "--device", "cpu", "--runs", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("needs GPUs") == 1
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_batch_too_small_for_the_processes_is_refused() -> None:
    from dcp.recipe import build
    from dcp.recipe.recipe import Recipe

    with pytest.raises(RequestError, match="two images in each"):
        build.plan(Recipe.read("tiny/directcopy", ("train.batch=6",)), 100, 4)
