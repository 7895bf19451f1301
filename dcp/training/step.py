"""The training step: from the numbers of images to updated weights. Algorithm 1 of the papers, whole.

Eager is the reference. With CUDA and one process the same computation is captured once as a CUDA graph and replayed:
a step of a small network is thousands of short kernels, which the host cannot launch as fast as the GPU runs them. So
nothing in `compute` asks the device for a value, all shapes are those of the batch, and what changes from step to step
(`Inputs`, learning rates, ρ, the limit of the gradient, the epoch's key of the views) are tensors that the host fills
before it.
"""

from functools import partial
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from dcp.data.batch_views import BatchViews
from dcp.data.loader import Batch
from dcp.hardware.graph import Graph
from dcp.hardware.processes import Process
from dcp.method.algorithm import Method, Outputs
from dcp.method.objectives.base import LossOfViews
from dcp.method.schedules import Number
from dcp.probing.online import Readout
from dcp.recipe.build import Parts


class Inputs(NamedTuple):
    """What differs from one step to the next, on the device where that is CUDA's."""

    images: Tensor  # int64 [B], their numbers in the data set
    crops: Tensor | None  # [B, ...] of image files, see `loader.Crops`, None where images are in memory
    place: Tensor  # int64 [1], where the loss goes in the ring
    fraction: Number  # of the training that is done after this step, in [0, 1]


def why_no_graph(asked: Literal["auto", False], method: Method, process: Process) -> str:
    """Why a step is not replayed as a CUDA graph, or "" if it is; `asked` is train.graph."""
    predictor, objective = method.predictor, method.objective
    reasons = {
        "no CUDA device": process.device.type != "cuda",
        "train.graph = false": not asked,
        "several processes": process.count > 1,
        "the predictor asks the host for a value": predictor.forward_waits,
        "the target asks the host for a value": method.target.forward_waits,
        "the objective asks the host for a value": isinstance(objective, LossOfViews) and objective.waits,
        "W of the present batch comes from a decomposition": method.timing == "immediate" and predictor.refresh_waits,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


class Step:
    """Takes training steps, eagerly or by replaying a graph of one.

    Args:
        parts: method, optimizer, schedule and plan.
        wrapped: the method, as several processes must call it.
        batch_views: makes the views.
        process: this process.
        readout: says how good the features are; None without labels.
        ring: float32 [log_every] on the device: takes the losses, this process's sums over its images.
        graph: takes over whole batches; None for eager steps alone.

    Attributes:
        rate: learning rate of the branch at the last step.
    """

    def __init__(
        self,
        parts: Parts,
        wrapped: nn.Module,
        batch_views: BatchViews,
        process: Process,
        readout: Readout | None,
        ring: Tensor,
        graph: Graph[Inputs, Outputs] | None,
    ) -> None:
        self.parts, self.wrapped, self.batch_views, self.process = parts, wrapped, batch_views, process
        self.readout, self.ring, self.graph, self.rate = readout, ring, graph, 0.0
        labels, self.on_cuda = parts.labels, process.device.type == "cuda"
        self.labels = labels.to(process.device) if labels is not None and self.on_cuda else labels
        predictor = parts.method.predictor
        self.sets_within = not (self.on_cuda and (predictor.refresh_waits or predictor.every > 1))

    def __call__(self, batch: Batch, place: int) -> Outputs:
        """One step; its loss goes to `place` in the ring. The outputs are overwritten by the next step."""
        method, plan, process = self.parts.method, self.parts.plan, self.process
        # dropout of any backbone repeats on resume, and differs between processes
        torch.manual_seed((plan.seed << 32) + batch.step * process.count + process.rank)
        self.rate = self.parts.schedule(batch.step)
        inputs = self._inputs(batch, place)
        compute = partial(self.compute, step=batch.step, batch_size=batch.batch_size)
        whole = batch.batch_size == plan.batch
        outputs = self.graph(compute, inputs) if self.graph is not None and whole else compute(inputs)
        if not self.sets_within:
            method.set_predictor(outputs, batch.step)
        return outputs

    def _inputs(self, batch: Batch, place: int) -> Inputs:
        index, crops = self.batch_views.inputs(batch)
        device, fraction = self.process.device, (batch.step + 1) / self.parts.plan.steps
        return Inputs(
            index,
            crops,
            torch.full((1,), place, device=device),
            torch.full((), fraction, dtype=torch.float64, device=device) if self.on_cuda else fraction,
        )

    def compute(self, given: Inputs, step: int, batch_size: int) -> Outputs:
        """Views, forward, backward, optimizer, updates without gradient, readout, loss.

        `step` and `batch_size`, of all processes, are the same numbers whenever a graph is replayed, or have no effect.
        """
        method, optimizer, clip = self.parts.method, self.parts.optimizer, self.parts.clip
        optimizer.zero_grad(set_to_none=True)  # a capture that failed may have left gradients
        views = self.batch_views.of(given.images, given.crops)
        y = None if self.labels is None else self.labels[given.images].to(views[0].device, non_blocking=True)
        outputs: Outputs = self.wrapped(*views, y=y)
        loss = outputs.losses.sum()
        # gradients are averaged over processes, whose shares may differ by one image: this makes them the batch's own
        (loss * (self.process.count / batch_size)).backward()
        if clip is not None:
            clip()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        method.after_step(outputs, step, given.fraction, refreshes=self.sets_within)
        if self.readout is not None:
            self.readout.add(outputs.h, given.images)
        self.ring.index_copy_(0, given.place, loss.detach().view(1))
        return outputs._replace(losses=outputs.losses.detach())  # the graph of autograd ends with the step
