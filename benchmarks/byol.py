"""An epoch of BYOL beside the same of others: same images, network, batch, augmentation, optimizer.

Beside lightly, which is always in fp32, dcp in fp32 and as `auto` says; beside stable-pretraining, where it
is installed, both as `auto` says. Each rival has a process of its own and waits in it while dcp has its turn: what dcp
does to the memory of a process (`dcp.hardware.malloc`) would quicken the rival too. On a GPU lightly's loader has 8
workers, and as many as there are cores.
"""

import os
import tempfile
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import torch

from benchmarks import rival_lightly, rival_stable
from benchmarks.apart import apart
from benchmarks.measure import Row, Scale, Turn, alternate, rows
from benchmarks.rival import HIDDEN
from benchmarks.step import Case, graph_note, in_time, recipe
from benchmarks.tasks import TRAININGS, Task
from benchmarks.training import Noise, begun
from dcp.hardware import precision
from dcp.recipe.recipe import Recipe
from dcp.training.request import Request

CPU = Case("ResNet-18 at 32", "resnet18", 32, "small", 64, 128, 4)
QUICK = Case("ResNet-18/8 at 32", "resnet18", 32, "small", 8, 64, 24)  # views weigh here: few may be ready beforehand
GPU = Case("ResNet-18 at 32", "resnet18", 32, "small", 64, 128, 200)
RIVALS = {"lightly": rival_lightly.turn, "stable-pretraining": rival_stable.turn}
MODULES = {"lightly": "lightly", "stable-pretraining": "stable_pretraining"}


def tasks(scale: Scale) -> list[Task]:
    """A rival each: dcp in fp32 beside the same, and what `auto` chooses, where that is another arithmetic."""
    cuda = scale.device == "cuda"
    case = GPU if cuda else QUICK if scale.quick else CPU
    wishes = ("fp32", "auto") if precision.choose("auto", scale.device).amp else ("fp32",)
    asked: list[tuple[str, tuple[str, ...], int, int]] = [("lightly", wishes, 8 if cuda else 2, 5)]
    if cuda and (cores := os.cpu_count() or 1) > 8:
        asked.append(("lightly", wishes, cores, 14))
    if find_spec("stable_pretraining") and not scale.quick:
        asked.append(("stable-pretraining", ("auto",), 8 if cuda else 2, 16))
    shared = TRAININGS if cuda else ""
    return [Task(measured, (case, *what), 75, rank, shared) for *what, rank in asked]


def measured(scale: Scale, case: Case, rival: str, wishes: tuple[str, ...], workers: int) -> list[Row]:
    """Epochs of dcp, with each train.precision that is wished for, and the rival's, in turn.

    Raises:
        ModuleNotFoundError: the rival is not installed.
    """
    if find_spec(MODULES[rival]) is None:
        raise ModuleNotFoundError(f"{rival} is not installed")
    torch.set_num_threads(scale.threads)
    case = in_time(case, scale)
    repeats = 1 if scale.quick else scale.repeats  # starting a rival's workers takes longer than a quick epoch
    turns: dict[str, Turn] = {}
    notes = [f"{workers} workers"]
    with ExitStack() as stack:
        turns[rival] = stack.enter_context(apart(partial(_rival, scale, case, rival, wishes[-1], workers)))
        for wish in wishes:
            training = stack.enter_context(begun(_recipe(case, wish), scale.device))
            chosen = training.trainer.parts.precision
            turns[f"dcp, {chosen.name}"] = training.turn
            notes.append(f"dcp in {chosen.name}: {chosen.why}")
        found = alternate(turns, repeats, scale.until)
        theirs = chosen.name if rival == "stable-pretraining" else "fp32"  # lightly's loop as its examples have it
        note = "; ".join(filter(None, [f"{rival} in {theirs}", *notes, graph_note(training)]))
    group = f"BYOL, {case.name}, batch {case.batch}, {workers} workers"
    return rows(group, "images/s", found, beside=rival, note=note)


def _rival(scale: Scale, case: Case, rival: str, wish: str, workers: int) -> Turn:
    """The rival's epochs on the network and the images of a run that never begins."""
    torch.set_num_threads(scale.threads)
    with tempfile.TemporaryDirectory() as runs:
        trainer = Noise(_recipe(case, wish), Request(Path(runs), device=scale.device))
    return RIVALS[rival](trainer, case, workers)


def _recipe(case: Case, wish: str) -> Recipe:
    sets = ("predictor.name=mlp", f"predictor.hidden={HIDDEN}", "network.projector.affine=true")
    return recipe(case, *sets, f"train.precision={wish}", "views.normalize=imagenet")
