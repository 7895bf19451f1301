"""A whole epoch of `dcp pretrain` on CIFAR-10, as its own metrics tell it, beside what the benchmarks' loop says.

The benchmarks' loop is `Trainer.run` on a few made-up batches; here is every batch of 50,000 images, in a process of
its own, with the command's own progress, metrics and checkpoint.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks.measure import Row, Scale, rows
from benchmarks.step import Case, recipe
from benchmarks.tasks import Task
from benchmarks.training import begun
from dcp.runs.run import Run

CPU = Case("ResNet-18/8 at 32", "resnet18", 32, "small", 8, 128, 30)
GPU = Case("ResNet-18 at 32", "resnet18", 32, "small", 64, 128, 300)
IMAGES = 50_000


def tasks(scale: Scale) -> list[Task]:
    """None where it must be quick: an epoch of a small network takes two minutes on two cores."""
    return [] if scale.quick else [Task(measured, (GPU if scale.device == "cuda" else CPU,), 90)]


def measured(scale: Scale, case: Case) -> list[Row]:
    """Epochs of the command and of the benchmarks' loop, in turn.

    Raises:
        RuntimeError: the command fails, for instance as there is no CIFAR-10 in $DCP_DATA.
    """
    torch.set_num_threads(scale.threads)
    found: dict[str, list[float]] = {"benchmark": [], "dcp pretrain": []}
    for _ in range(3):
        found["dcp pretrain"].append(_command(scale, case))
        with begun(recipe(case), scale.device) as training:
            training.turn()
            found["benchmark"].append(training.turn())
    note = f"{IMAGES:,} images, batch {case.batch}; the benchmark: {case.steps} batches, one epoch before them"
    return rows(f"epoch of CIFAR-10, {case.name}", "images/s", found, beside="benchmark", note=note)


def _command(scale: Scale, case: Case) -> float:
    """Images a second of the first epoch, start-up left out."""
    words = ("cifar10_directcopy", f"network.width={case.width}", "train.epochs=1", "train.log_every=10")
    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-m", "dcp", "pretrain", *words, "probe.after=[]", "run.name=epoch", "--runs", runs]
        done = subprocess.run([*command, "--device", scale.device], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        line = Run.open(next(Path(runs).iterdir())).metrics("epoch")[-1]
    return float(line["images_per_s"])
