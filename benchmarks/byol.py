"""An epoch of BYOL beside the same of others: same images, network, batch, augmentation, optimizer.

Beside lightly, which is always in fp32, dcp in fp32 and as `auto` says; beside stable-pretraining, where it
is installed, both as `auto` says. Each rival has a process of its own and waits in it while dcp has its turn: what dcp
does to the memory of a process (`dcp.hardware.malloc`) would quicken the rival too.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import torch

from benchmarks import rival_lightly, rival_stable
from benchmarks.apart import apart
from benchmarks.measure import Row, Scale, rows
from benchmarks.rival import HIDDEN
from benchmarks.step import Case, recipe
from benchmarks.training import Turn, epochs_in_turn
from dcp.hardware import precision
from dcp.recipe.recipe import Recipe
from dcp.training.request import Request
from dcp.training.trainer import Trainer

CPU = Case("ResNet-18 at 32", "resnet18", 32, "small", 64, 128, 4)
QUICK = Case("ResNet-18/8 at 32", "resnet18", 32, "small", 8, 64, 24)  # views weigh here: few may be ready beforehand
GPU = Case("ResNet-18 at 32", "resnet18", 32, "small", 64, 128, 200)
RIVALS = {"lightly": rival_lightly.turn, "stable-pretraining": rival_stable.turn}


def tasks(scale: Scale) -> list[partial[list[Row]]]:
    """fp32 beside the same; and what `auto` chooses, where that is another arithmetic."""
    case = GPU if scale.device == "cuda" else QUICK if scale.quick else CPU
    auto = precision.choose("auto", scale.device)
    asked = [("lightly", wish) for wish in (("fp32", "auto") if auto.amp else ("fp32",))]
    if find_spec("stable_pretraining") and not scale.quick:
        asked.append(("stable-pretraining", "auto"))
    return [partial(measured, scale, case, name, wish) for name, wish in asked]


def measured(scale: Scale, case: Case, rival: str, wish: str) -> list[Row]:
    """Dcp's epochs with train.precision as wished, and the rival's, in turn."""
    torch.set_num_threads(scale.threads)
    repeats = 1 if scale.quick else scale.repeats  # starting a rival's workers takes longer than a quick epoch
    wanted = partial(_recipe, case, repeats + 1, wish)
    workers = 8 if scale.device == "cuda" else 2
    with apart(partial(_rival, scale, case, rival, wanted, workers)) as turn:
        ours, theirs, training = epochs_in_turn(wanted(), scale.device, lambda _: turn)
    chosen = training.parts.precision
    group = f"BYOL, {case.name}, batch {case.batch}, precision {wish}"
    theirs_in = chosen.name if rival == "stable-pretraining" else "fp32"  # lightly's loop as its examples have it
    note = f"dcp in {chosen.name}: {chosen.why}; {rival} in {theirs_in}, {workers} workers"
    return rows(group, "images/s", {rival: theirs, "dcp": ours}, beside=rival, note=note)


def _rival(scale: Scale, case: Case, rival: str, wanted: Callable[[], Recipe], workers: int) -> Turn:
    """The rival's epochs on the network and the images of a run that never begins."""
    torch.set_num_threads(scale.threads)
    with tempfile.TemporaryDirectory() as runs:
        training = Trainer(wanted(), Request(Path(runs), device=scale.device))
    return RIVALS[rival](training, case, workers)


def _recipe(case: Case, epochs: int, wish: str) -> Recipe:
    sets = ("predictor.name=mlp", f"predictor.hidden={HIDDEN}", "network.projector.affine=true")
    return recipe(case, epochs, *sets, f"train.precision={wish}", "views.normalize=imagenet")
