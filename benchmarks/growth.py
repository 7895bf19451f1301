"""How the time of a step grows with batch, d, image size, number of images and processes."""

import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import torch

from benchmarks.measure import Row, Scale, Spread, alternate
from benchmarks.step import Case, recipe
from benchmarks.tasks import Task
from benchmarks.training import begun
from dcp.data.image_lists import Files
from dcp.runs.run import Run

BASE = Case("ResNet-18/8 at 32", "resnet18", 32, "small", 8, 64, 6)


def tasks(scale: Scale) -> list[Task]:
    """One an axis value."""
    batches = (64,) if scale.quick else (32, 64, 128, 256, 512)
    dims = (1024,) if scale.quick else (128, 512, 2048)
    sizes = () if scale.quick else (32, 64, 96, 128)
    counts = () if scale.quick else (2**10, 2**12, 2**14)
    made = [Task(grown, (f"batch {n}", BASE._replace(batch=n))) for n in batches]
    made += [Task(grown, (f"d = {d}", BASE, f"network.projector.out={d}")) for d in dims]
    made += [Task(grown, (f"{s} px", BASE._replace(size=s, steps=2))) for s in sizes]
    made += [Task(many_images, (n,)) for n in counts]
    made += [Task(together, (n,)) for n in (() if scale.quick else (1, 2))] if scale.device == "cpu" else []
    return [*made, Task(index_of_files, (100_000 if scale.quick else 1_000_000,))]


def grown(scale: Scale, what: str, case: Case, *sets: str) -> list[Row]:
    """Milliseconds a step of a small ResNet."""
    torch.set_num_threads(scale.threads)
    with begun(recipe(case, *sets), scale.device) as training:
        speeds = alternate({"": training.turn}, scale.repeats, scale.until)[""]
    return [_row(what, [1000 * case.batch / speed for speed in speeds])]


def many_images(scale: Scale, count: int) -> list[Row]:
    """The same step on more images in memory, and what they take."""
    torch.set_num_threads(scale.threads)
    case = BASE._replace(steps=count // BASE.batch)
    with begun(recipe(case), scale.device) as training:
        speeds = alternate({"": training.turn}, 1)[""]
        images = training.trainer.data.images
    assert isinstance(images, torch.Tensor)
    note = f"{images.nbytes / 2**20:.0f} MiB of pixels"
    return [_row(f"{count:,} images", [1000 * case.batch / speed for speed in speeds], note)]


def together(scale: Scale, processes: int) -> list[Row]:
    """Several processes on this machine, with the same batch of all, from start to end."""
    command = [
        sys.executable, "-m", "dcp", "pretrain", "tiny/group_norm", "data.images=2048", "network.width=16",
        "train.batch=128", f"train.epochs={scale.repeats + 1}", "probe.after=[]", "--device", "cpu", "--quiet",
        "--processes", str(processes),
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as runs:
        subprocess.run([*command, "--runs", runs], check=True, capture_output=True)
        walls = [line["wall_s"] for line in Run.open(next(Path(runs).iterdir())).metrics("epoch")]
    steps = 2048 // 128
    each = [1000 * (after - before) / steps for before, after in pairwise(walls)]
    return [_row(f"{processes} process{'es' if processes > 1 else ''}, batch 128 in all", each)]


def index_of_files(scale: Scale, count: int) -> list[Row]:
    """Bytes an image that a listed folder takes, with paths as ImageNet's."""
    started = time.perf_counter()
    names = (b"n%08d/n%08d_%d.JPEG" % (i % 1000, i % 1000, i) for i in range(count))
    files = Files.listed(Path("train"), names)
    took = time.perf_counter() - started
    size = Spread.of([files.nbytes / count])
    return [Row("growth", f"index of {count:,} files", "bytes/image", size, note=f"made in {took:.1f} s")]


def _row(what: str, values: list[float], note: str = "") -> Row:
    return Row("growth", what, "ms/step", Spread.of(values), note=note)
