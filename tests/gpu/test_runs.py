"""On a GPU: the commands, from a recipe to scores."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from dcp.data.batch_views import BatchViews
from dcp.data.loader import Batch
from dcp.data.views import apply
from dcp.data.views.config import Views
from dcp.recipe import shipped
from dcp.runs.run import Run

TINY = [name for name in shipped.names() if name.startswith("tiny/")]
SMALL = ("data.images=128", "data.test_images=64", "probe.after=[]", "run.name=tiny")
LONGER = ("train.epochs=12", "train.deterministic=true", "probe.after=[]", "train.save_every=3", "train.log_every=2")


@pytest.mark.parametrize("name", TINY)
def test_every_tiny_recipe_trains(name: str, trained: Path, tmp_path: Path, dcp: Callable) -> None:
    teacher = [f"target.teacher={trained}"] if name == "tiny/distill" else []
    said = dcp("pretrain", name, *SMALL, "train.epochs=4", *teacher, "--runs", tmp_path, "--quiet", "--device", "cuda")
    assert said.code == 0, said.err
    record = Run.open(tmp_path / "tiny-s0").record
    assert record.steps == 8
    assert record.graph is True or isinstance(record.graph, str)
    assert "capture failed" not in str(record.graph)


def test_a_run_is_probed(tmp_path: Path, dcp: Callable) -> None:
    assert dcp("pretrain", "tiny/directcopy", "--runs", tmp_path, "--device", "cuda").code == 0
    said = dcp("probe", tmp_path / "directcopy-s0", "-e", "finetune", "-e", "knn", "--device", "cuda")
    assert said.code == 0, said.err


def test_stopped_in_the_middle_of_an_epoch_and_resumed_it_ends_in_the_same_bytes(tmp_path: Path) -> None:
    def start(runs: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "dcp", "pretrain", "tiny/directcopy", "--runs", str(runs), "--resume"]
        return subprocess.Popen([*command, "--device", "cuda", *LONGER], stderr=subprocess.PIPE, text=True)

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert start(whole).wait(timeout=120) == 0
    process = start(broken)
    lines = broken / "directcopy-s0" / "metrics.jsonl"
    while process.poll() is None and not (lines.exists() and lines.read_text().count("\n") > 8):
        pass
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) in (0, 130)
    assert start(broken).wait(timeout=120) == 0
    mine, theirs = (runs / "directcopy-s0" / "encoder.safetensors" for runs in (broken, whole))
    assert mine.read_bytes() == theirs.read_bytes()


def test_two_runs_at_once_end_as_they_do_alone(tmp_path: Path) -> None:
    def start(runs: Path, seed: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "dcp", "pretrain", "tiny/directcopy", "--runs", str(runs), f"run.seed={seed}"]
        return subprocess.Popen([*command, "--device", "cuda", *LONGER], stderr=subprocess.PIPE, text=True)

    together, alone = tmp_path / "together", tmp_path / "alone"
    both = [start(together, seed) for seed in (0, 1)]
    assert [process.wait(timeout=200) for process in both] == [0, 0]
    assert start(alone, 1).wait(timeout=120) == 0
    mine, theirs = (runs / "directcopy-s1" / "encoder.safetensors" for runs in (together, alone))
    assert mine.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("blur", [0.0, 0.5])
def test_views_of_the_device_are_those_of_the_cpu(blur: float) -> None:
    images = torch.randint(0, 256, (64, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    config, index = Views(blur={"p": blur}, normalize="cifar10"), torch.randperm(64)[:40]
    pairs = BatchViews(images, config, size=32, seed=3, device=torch.device("cuda"))
    for epoch in (0, 5):
        made = pairs.of(*pairs.inputs(Batch(0, epoch, 40, index)))
        expected = apply.random_views(images[index], index, config, seed=3, epoch=epoch, size=32)
        for mine, theirs in zip(made, expected, strict=True):
            torch.testing.assert_close(mine.cpu(), theirs, atol=1e-4, rtol=0)
