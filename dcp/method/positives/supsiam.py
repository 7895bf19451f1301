"""SupSiam: a labelled image also predicts the mean of its class (SupSiam, SupBYOL: Oh, Lee 2024).

    loss = a ℓ(p, z, t) + (1-a) ℓ(p, z, t̄)        t̄ the mean of the queued projections of the class

Labels and queue are as in `semppl`. An image without a label, or whose class is not in the queue yet, has ℓ(p, z, t)
alone. Refused: `target.name = "shared"`, images without labels.

Unverified: the text was read in part. The mixture of both losses and class targets from a queue are the paper's; the
plain mean over the queue, a = 0.5 and the size of the queue are our choices.
Differs: one queue of projections serves all classes; the class target has the weight 1 - a for every labelled image.
Held to: plain loops: the means and the loss; nothing against the paper's numbers.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from dcp.method.objectives.base import Gather
from dcp.method.positives._queue import Queue
from dcp.method.positives.base import Extra, LabelledConfig, Positives


class Config(LabelledConfig):
    """Keys of the class targets."""

    name: Literal["supsiam"] = "supsiam"
    a: float = Field(0.5, ge=0, le=1, description="for labelled images, weight of the loss towards the other view")


class SupSiam(Positives):
    """Final: labelled images predict the mean of their class in the queue as well."""

    def __init__(self, queue: Queue, *, a: float) -> None:
        super().__init__()
        self.queue, self.a = queue, a

    @torch.no_grad()
    def forward(self, t: Tensor, y: Tensor) -> Extra:
        """The mean of what is remembered of the class y [B], for those that have one."""
        rows, there = self.queue.mean(y)
        other = (1 - self.a) * there.to(t.dtype)
        return Extra(rows.to(t.dtype), 1 - other, other)

    def update(self, t: Tensor, y: Tensor) -> None:
        """Remember the labelled ones."""
        self.queue.push(t, y)


def build(config: Config, dim: int, gather: Gather) -> Positives:
    """SupSiam's class targets with an empty queue."""
    return SupSiam(Queue(config.queue, dim, gather), a=config.a)
