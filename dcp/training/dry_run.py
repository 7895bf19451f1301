"""A dry run: what a recipe would cost, with the time measured on a few real steps. Writes nothing."""

import time
from dataclasses import replace
from itertools import islice
from typing import Any

import torch

from dcp.hardware.device import device_name, peak_memory_bytes
from dcp.hardware.graph import EAGER
from dcp.method import flops
from dcp.recipe.recipe import Recipe
from dcp.runs.disk import occupied
from dcp.training.request import Request
from dcp.training.signals import Signals
from dcp.training.trainer import Trainer

STEPS = 4  # timed after those that warm up


def estimate(recipe: Recipe, request: Request) -> dict[str, Any]:
    """Check everything that `pretrain` would check, then measure.

    A run that is there already is no obstacle: "exists" says so.

    Returns:
        Plain values: images, steps, parameters, FLOPs of the networks in a step, seconds, memory in bytes, ...
        Seconds, and what follows from them, are None where there are too few whole batches to time one.

    Raises:
        RequestError, RunError: as `pretrain`.
    """
    trainer = Trainer(recipe, replace(request, dry=True))
    plan, method, device = trainer.parts.plan, trainer.parts.method, trainer.process.device
    warm_up = 1 if trainer.why_no_graph else EAGER + 1
    start = int(plan.steps > STEPS + warm_up)  # the first step has a spectrum, which few of the others have
    loop, batches = trainer.loop(None, {}, Signals()), trainer.batches(start)
    took: list[float] = []
    for batch in islice(batches, 2 * (STEPS + warm_up)):
        started = time.perf_counter()
        loop.step(batch)
        if device.type == "cuda":
            torch.cuda.synchronize()
        if batch.batch_size == plan.batch:  # a remainder is quicker, and no part of a graph
            took.append(time.perf_counter() - started)
        if len(took) == STEPS + warm_up:
            break
    timed = sorted(took[warm_up:] or took[-1:])
    seconds = timed[len(timed) // 2] if len(took) > 1 else None
    return {
        "run": str(trainer.path),
        "exists": occupied(trainer.path),
        "device": device_name(device),
        "precision": trainer.parts.precision.name,
        "precision_why": trainer.parts.precision.why,
        "images": len(trainer.data),
        "remarks": list(trainer.remarks),
        "weights": None if trainer.start is None else dict(trainer.start.facts),
        "batch": recipe.train.batch,
        "steps_per_epoch": plan.steps_per_epoch,
        "steps": plan.steps,
        "parameters": sum(p.numel() for p in method.online.parameters()),
        "backbone_parameters": sum(p.numel() for p in method.online.backbone.parameters()),
        "flops_per_step": recipe.train.batch * flops.per_image(method, recipe.view_sizes),
        "seconds_per_step": seconds,
        "images_per_s": None if seconds is None else recipe.train.batch / seconds,
        "estimated_s": None if seconds is None else seconds * plan.steps,
        "peak_memory_bytes": peak_memory_bytes(device),
    }
