"""What a training step of each method of `studies/newer` costs: time in turn beside DirectCopy, memory apart.

The network is that of the study, narrow and with 32-pixel views; on a large one the backbone is nearly all of a step.
Images are those that are drawn from the data set: a method of eight views makes eight of each.
"""

from contextlib import ExitStack

import torch

from benchmarks.measure import Row, Scale, alternate, rows
from benchmarks.tasks import Task
from benchmarks.training import LONG, begun
from dcp.hardware.device import peak_memory_bytes
from dcp.recipe.recipe import Recipe
from dcp.studies.study import read

STUDY = "studies/newer"
FIRST = "directcopy"  # that the others are measured beside
STEPS = 8  # of a turn
MIB = 2**20


def tasks(scale: Scale) -> list[Task]:
    """All in turn, and then each in a process of its own, whose memory nothing else took."""
    names = [*recipes()][: 2 if scale.quick else None]
    return [Task(times, (names,), 120.0), *(Task(memory, (name,)) for name in names)]


def recipes() -> dict[str, Recipe]:
    """Each arm at the study's first rate, by the method's name; its images are as many as a turn takes."""
    sets = (f"data.images={64 * STEPS}", f"train.epochs={LONG}", f"train.save_every={LONG * STEPS}", "probe.after=[]")
    study = read(STUDY, (*sets, f"train.threads={torch.get_num_threads()}"))
    rate = study.arms[0].name.removeprefix(FIRST)
    return {arm.name.removesuffix(rate): arm.recipe for arm in study.arms if arm.name.endswith(rate)}


def times(scale: Scale, names: list[str]) -> list[Row]:
    """Images a second of each."""
    torch.set_num_threads(scale.threads)
    with ExitStack() as stack:
        turns = {name: stack.enter_context(begun(recipes()[name], scale.device)).turn for name in names}
        found = alternate(turns, scale.repeats, scale.until - 5)
    return rows("method, quickstart's network", "images/s", found, beside=FIRST, note="batch 64")


def memory(scale: Scale, name: str) -> list[Row]:
    """The most memory of a training: a CPU's is that of the whole process, a GPU's that of tensors."""
    torch.set_num_threads(scale.threads)
    with begun(recipes()[name], scale.device) as training:
        training.steps(STEPS)
        peak = peak_memory_bytes(training.trainer.process.device)
    return rows("memory of a method, quickstart's network", "MiB", {name: [(peak or 0) / MIB]}, note="batch 64")
