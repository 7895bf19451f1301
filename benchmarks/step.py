"""The whole training step against the bare one, in turn in one process; on a GPU both eager and as a CUDA graph."""

from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

import torch

from benchmarks.captured import captured
from benchmarks.measure import Row, Scale, Spread, alternate, in_turn, rows
from benchmarks.tasks import TRAININGS, Task, rows_or_why
from benchmarks.training import LONG, Training, bare, begun, times
from dcp.data.loader import Batch
from dcp.hardware.device import peak_memory_bytes
from dcp.hardware.graph import cause
from dcp.recipe.recipe import Recipe


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


EXPECTED = {  # seconds and rank on a GPU
    "ResNet-18 at 32": (45, 1),
    "ResNet-18 at 96": (35, 3),
    "ResNet-18 at 32, batch 512": (35, 4),
    "ViT-S at 224": (45, 9),
    "ResNet-50 at 224": (50, 17),
}


def tasks(scale: Scale) -> list[Task]:
    """One a case."""
    if scale.device == "cuda":
        return [Task(measured, (case,), *EXPECTED[case.name], TRAININGS) for case in GPU]
    return [Task(measured, (case,)) for case in (QUICK if scale.quick else CPU)]


def recipe(case: Case, *sets: str) -> Recipe:
    """DirectCopy as in `cifar10_directcopy`, on made-up images of the size; a checkpoint is never due."""
    own = (
        f"data.images={case.batch * case.steps}",
        f"data.image_size={case.size}",
        f"network.backbone={case.backbone}",
        f"network.stem={case.stem}",
        f"network.width={case.width}",
        f"train.batch={case.batch}",
        f"train.epochs={LONG}",
        f"train.save_every={LONG * case.steps}",
        f"train.threads={torch.get_num_threads()}",  # those of the benchmark
        "train.log_every=10",
        "probe.after=[]",
        *(["views.blur.p=0.5"] if case.size > 32 else []),
    )
    return Recipe.read("cifar10_directcopy", ("data.source=shapes", *own, *sets))


def in_time(case: Case, scale: Scale) -> Case:
    """The case, with shorter epochs where time is short."""
    return case._replace(steps=min(case.steps, max(10, case.steps // 3))) if scale.limited else case


def measured(scale: Scale, case: Case) -> list[Row]:
    """Whole and bare, and what the updates of F and W and the views take of the whole step."""
    torch.set_num_threads(scale.threads)
    case, group = in_time(case, scale), f"step, {case.name}"
    notes = []
    with ExitStack() as stack:
        dcp = stack.enter_context(begun(recipe(case), scale.device))
        turns = {"bare": bare(dcp.trainer, min(case.steps, 20)), "dcp": dcp.turn}
        if scale.device == "cuda":
            eager = stack.enter_context(begun(recipe(case, "train.graph=false"), scale.device))
            turns["dcp, eager"] = eager.turn
            try:
                turns["bare, graph"] = bare(dcp.trainer, case.steps, graph=True)
            except RuntimeError as error:
                notes.append(f"the bare step could not be captured: {cause(error)}")
        found = alternate(turns, scale.repeats, scale.until - 5)
        precision = dcp.trainer.parts.precision.name
        memory = (peak_memory_bytes(dcp.trainer.process.device) or 0) / 2**30
        notes = [f"batch {case.batch}, {precision}, peak memory of all {memory:.1f} GiB", graph_note(dcp), *notes]
        note = "; ".join(note for note in notes if note)
        made = rows(group, "images/s", found, beside="bare, graph" if "bare, graph" in found else "bare", note=note)
        for share in (share_of_updates, share_of_views):
            made += rows_or_why(f"{group}, {share.__name__}", partial(share, group, dcp, found["dcp"]))
        return made


def graph_note(training: Training) -> str:
    """Whether the steps of a training on a GPU are replayed."""
    if training.trainer.process.device.type == "cpu":
        return ""
    return f"no graph: {training.trainer.why_no_graph}" if training.trainer.why_no_graph else "dcp as a graph"


def share_of_updates(group: str, training: Training, whole: list[float]) -> list[Row]:
    """Moments and DirectCopy alone, as a share of the step's time; on a GPU as a graph of their own."""
    trainer, device = training.trainer, training.trainer.process.device
    method, batch = trainer.parts.method, trainer.recipe.train.batch
    z = torch.randn(2, batch, trainer.recipe.network.projector.out, device=device)

    @torch.no_grad()
    def update() -> None:
        method.moments.store(method.blends(z, None)[1])
        method.predictor.refresh(method.moments.F)

    found = in_turn({"": times(captured(update, device.type), 100, 100)}, len(whole), device.type)[""]
    shares = [100 * speed / batch / updates for speed, updates in zip(whole, found, strict=True)]
    return [Row(group, "F and DirectCopy", "% of step", Spread.of(shares), note="d = 128, measured alone")]


def share_of_views(group: str, training: Training, whole: list[float]) -> list[Row]:
    """Both views of a batch alone, as a share of the step's time and in milliseconds; on a GPU as a graph."""
    trainer, batch_views, device = (
        training.trainer,
        training.loop.take.batch_views,
        training.trainer.process.device.type,
    )
    batch = trainer.recipe.train.batch
    given = batch_views.inputs(Batch(0, 0, batch, torch.arange(batch)))
    count = 50 if device == "cuda" else 1
    found = in_turn({"": times(captured(lambda: batch_views.of(*given), device), count, count)}, len(whole), device)[""]
    shares = [100 * speed / batch / views for speed, views in zip(whole, found, strict=True)]
    note = f"both views of {batch} images, measured alone"
    took = Spread.of([1000 / views for views in found])
    return [
        Row(group, "views", "% of step", Spread.of(shares), note=note),
        Row(group, "views", "ms/batch", took, note=note),
    ]
