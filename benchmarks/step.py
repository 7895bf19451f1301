"""The whole training step against the bare one, both in turn in one process."""

from functools import partial
from typing import NamedTuple

import torch

from benchmarks.measure import Row, Scale, Spread, in_turn, rows
from benchmarks.training import bare, epochs_in_turn
from dcp.hardware.device import peak_memory_bytes
from dcp.recipe.recipe import Recipe
from dcp.training.trainer import Trainer


class Case(NamedTuple):
    """A network, a view size, a batch and the steps of an epoch."""

    name: str
    backbone: str
    size: int
    stem: str
    width: int
    batch: int
    steps: int


QUICK = (Case("ResNet-18/8 at 32", "resnet18", 32, "small", 8, 64, 4),)
CPU = (
    Case("ResNet-18 at 32", "resnet18", 32, "small", 64, 128, 4),
    Case("ResNet-18 at 96", "resnet18", 96, "imagenet", 64, 64, 4),
    Case("ResNet-50 at 224", "resnet50", 224, "imagenet", 64, 8, 2),
    Case("ViT-S at 224", "vit_small_patch16_224", 224, "imagenet", 64, 8, 2),
)
GPU = (
    Case("ResNet-18 at 32", "resnet18", 32, "small", 64, 128, 300),
    Case("ResNet-18 at 32, batch 512", "resnet18", 32, "small", 64, 512, 80),
    Case("ResNet-18 at 96", "resnet18", 96, "imagenet", 64, 256, 100),
    Case("ResNet-50 at 224", "resnet50", 224, "imagenet", 64, 128, 20),
    Case("ViT-S at 224", "vit_small_patch16_224", 224, "imagenet", 64, 256, 20),
)


def tasks(scale: Scale) -> list[partial[list[Row]]]:
    """One a case."""
    cases = GPU if scale.device == "cuda" else QUICK if scale.quick else CPU
    return [partial(measured, scale, case) for case in cases]


def recipe(case: Case, epochs: int, *sets: str) -> Recipe:
    """DirectCopy as in `cifar10_directcopy`, on made-up images of the size."""
    own = (
        f"data.images={case.batch * case.steps}",
        f"data.image_size={case.size}",
        f"network.backbone={case.backbone}",
        f"network.stem={case.stem}",
        f"network.width={case.width}",
        f"train.batch={case.batch}",
        f"train.epochs={epochs}",
        "train.log_every=10",
        "probe.after=[]",
        *(["views.blur.p=0.5"] if case.size > 32 else []),
    )
    return Recipe.read("cifar10_directcopy", ("data.source=shapes", *own, *sets))


def measured(scale: Scale, case: Case) -> list[Row]:
    """Whole and bare, and what the updates of F and W take of the whole step."""
    torch.set_num_threads(scale.threads)
    steps = min(case.steps, 20) if scale.device == "cuda" else case.steps
    wanted = recipe(case, scale.repeats + 1)
    whole, without, training = epochs_in_turn(wanted, scale.device, partial(bare, steps=steps))
    memory = peak_memory_bytes(training.process.device) / 2**30
    note = f"batch {case.batch}, {training.parts.precision.name}, peak memory of both {memory:.1f} GiB"
    group = f"step, {case.name}"
    found = rows(group, "images/s", {"bare": without, "dcp": whole}, beside="bare", note=note)
    return [*found, share_of_updates(group, training, whole)]


def share_of_updates(group: str, training: Trainer, whole: list[float]) -> Row:
    """Moments and DirectCopy alone, as a share of the step's time."""
    method, batch = training.parts.method, training.recipe.train.batch
    z = torch.randn(2, batch, training.recipe.network.projector.out, device=training.process.device)

    def updates() -> float:
        for _ in range(100):
            method.moments.store(method.blends(z, None)[1])
            method.predictor.refresh(method.moments.F)
        return 100.0

    with torch.no_grad():
        found = in_turn({"": updates}, len(whole), training.process.device.type)[""]
    shares = [100 * speed / batch / updates for speed, updates in zip(whole, found, strict=True)]
    return Row(group, "F and DirectCopy", "% of step", Spread.of(shares), note="d = 128, measured alone")
