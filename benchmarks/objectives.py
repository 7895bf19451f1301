"""What a loss costs: forward and backward of both directions, for every objective in the tree, beside the cosine.

A loss of all views at once is that of two, with the gradient through both.
"""

from collections.abc import Callable
from functools import partial

import torch

from benchmarks.measure import Row, Scale, in_turn, rows
from benchmarks.tasks import Task
from dcp import catalogue
from dcp.method.moments import Moments, own
from dcp.method.objectives.base import Loss, LossOfViews, Setting, alone
from dcp.method.predictors import linear

BATCH = 256


def tasks(scale: Scale) -> list[Task]:
    """One a dimension."""
    return [Task(measured, (dim,)) for dim in ((128,) if scale.quick else (128, 2048))]


def measured(scale: Scale, dim: int) -> list[Row]:
    """Losses a second of each objective, with its gradient in both views' projections."""
    torch.set_num_threads(scale.threads)
    torch.manual_seed(0)
    things = {
        name: _losing(built(name, dim, scale.device), dim, scale.device) for name in catalogue.names("objectives")
    }
    found = in_turn(things, scale.repeats, scale.device, least_s=scale.least_s, until=scale.until)
    return rows(f"objective, batch {BATCH}, d = {dim}", "losses/s", found, beside="cosine")


def built(name: str, dim: int, device: str) -> Loss | LossOfViews:
    """The objective with its defaults, beside a linear predictor and an F."""
    module = catalogue.load("objectives", name)
    if hasattr(module, "loss"):
        loss: Loss = module.loss
        return loss
    config, z = module.Config(), torch.randn(2 * dim, dim)
    moments = Moments(dim, rho=0.5, cross=config.needs_cross)
    moments.store(moments.blend(moments.now, z, z))
    predictor = linear.build(linear.Config(), dim, own)
    setting = Setting(predictor.to(device), moments.to(device), alone)
    if hasattr(module, "loss_of_views"):
        return LossOfViews(partial(module.loss_of_views, setting, config))
    return partial(module.loss_in, setting, config)


def _losing(loss: Loss | LossOfViews, dim: int, device: str) -> Callable[[], float]:
    z1, z2 = (torch.randn(BATCH, dim, device=device).requires_grad_() for _ in range(2))

    def run() -> float:
        if isinstance(loss, LossOfViews):
            z = torch.stack([z1, z2])
            losses = loss(z, z, z)
        else:
            losses = loss(z1, z1, z2) + loss(z2, z2, z1)
        torch.autograd.grad(losses.mean(), [z1, z2])
        return 1.0

    return run
