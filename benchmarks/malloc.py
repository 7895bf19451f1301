"""Memory that the process keeps against memory given back after each use: the same work in two processes, in turn."""

import copy
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import torch
from torch import nn

from benchmarks.apart import apart
from benchmarks.measure import Row, Scale, Turn, alternate, rows, timed
from benchmarks.step import CPU, Case, recipe
from benchmarks.tasks import Task
from benchmarks.training import Noise, bare
from dcp.hardware.malloc import keep_freed_memory
from dcp.training.request import Request
from dcp.training.trainer import Trainer


def tasks(scale: Scale) -> list[Task]:
    """Training and evaluation of each network; a GPU has a memory of its own, quick networks have no large blocks."""
    if scale.device == "cuda" or scale.quick:
        return []
    return [Task(measured, (case, work)) for case in CPU for work in WORK]


def measured(scale: Scale, case: Case, work: str) -> list[Row]:
    """Images a second with memory as glibc has it, and kept."""
    group = f"memory, {work}, {case.name}"
    with _process(scale, case, work, "given back") as given, _process(scale, case, work, "kept") as kept:
        found = alternate({"given back": given, "kept": kept}, scale.repeats, scale.until)
    return rows(group, "images/s", found, beside="given back")


def _process(scale: Scale, case: Case, work: str, memory: str) -> AbstractContextManager[Turn]:
    return apart(partial(_turn, scale, case, work, keep=memory == "kept"))


def _turn(scale: Scale, case: Case, work: str, keep: bool) -> Turn:
    torch.set_num_threads(scale.threads)
    if keep:
        keep_freed_memory()
    with tempfile.TemporaryDirectory() as runs:
        made = Noise(recipe(case), Request(Path(runs), device=scale.device))
    return WORK[work](made, case.steps)


def evaluation(training: Trainer, steps: int) -> Turn:
    """What the backbone makes of noise, as evaluations ask for it, twice a training's batch at a time."""
    network: nn.Module = copy.deepcopy(training.parts.method.online.backbone).eval()
    size, batch = training.recipe.data.view_size, 2 * training.recipe.train.batch
    x = torch.rand(batch, 3, size, size)

    @torch.no_grad()
    def run() -> float:
        for _ in range(steps):
            network(x)
        return float(steps * batch)

    return timed(run, "cpu")


WORK: dict[str, Callable[[Trainer, int], Turn]] = {"a bare step": bare, "evaluation": evaluation}
