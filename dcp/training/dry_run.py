"""A dry run: what a recipe would cost, with the time measured on a few real steps. Writes nothing."""

import time
from typing import Any

import torch

from dcp.data.loader import Batch, Shares, batches
from dcp.hardware.device import decoders, device_name, peak_memory_bytes
from dcp.method import flops
from dcp.recipe import build
from dcp.recipe.recipe import Recipe
from dcp.training.loop import classes
from dcp.training.request import Request
from dcp.training.trainer import Trainer

STEPS = 4  # timed after one that warms up


def estimate(recipe: Recipe, request: Request) -> dict[str, Any]:
    """Check everything that `pretrain` would check, then measure.

    Returns:
        Plain values: images, steps, parameters, FLOPs of the networks in a step, seconds a step, estimated seconds,
        memory in bytes, ...

    Raises:
        RequestError: as `pretrain`.
    """
    training = Trainer(recipe, request)
    seconds = _measure(training)
    parameters = sum(p.numel() for p in training.method.online.parameters())
    return {
        "run": str(training.path),
        "device": device_name(training.process.device),
        "precision": training.arithmetic.precision,
        "precision_why": training.arithmetic.why,
        "images": len(training.data),
        "batch": recipe.train.batch,
        "steps_per_epoch": training.plan.steps_per_epoch,
        "steps": training.plan.steps,
        "parameters": parameters,
        "backbone_parameters": sum(p.numel() for p in training.method.online.backbone.parameters()),
        "flops_per_step": recipe.train.batch * flops.per_image(training.method, recipe.data.view_size),
        "seconds_per_step": seconds,
        "images_per_s": recipe.train.batch / seconds,
        "estimated_s": seconds * training.plan.steps,
        "peak_memory_bytes": peak_memory_bytes(training.process.device),
    }


def _measure(training: Trainer) -> float:
    """Median seconds of a step."""
    stream = batches(
        training.data.images,
        Shares(training.plan, 0, 0),
        training.recipe.views,
        size=training.recipe.data.view_size,
        device=training.process.device,
        workers=decoders(training.recipe.train.workers, 1),
    )
    _step(training, next(stream))
    took: list[float] = []
    for _ in range(min(STEPS, training.plan.steps - 1)):
        started = time.perf_counter()
        _step(training, next(stream))
        took.append(time.perf_counter() - started)
    return sorted(took)[len(took) // 2] if took else float("nan")


def _step(training: Trainer, batch: Batch) -> None:
    """A whole training step."""
    schedule = build.rates(training.recipe, training.optimizer, training.plan)
    schedule(batch.step)
    step = training.method(batch.x1, batch.x2, *classes(training.labels, batch, training.process))
    step.losses.mean().backward()
    training.optimizer.step()
    training.optimizer.zero_grad(set_to_none=True)
    training.method.after_step(step, batch.step, (batch.step + 1) / training.plan.steps)
    if training.process.device.type == "cuda":
        torch.cuda.synchronize()
