"""SemPPL: another image that is likely of the same class is a positive too (Bošnjak et al. 2023, arXiv:2301.05158).

    loss = ℓ(p, z, t) + weight ℓ(p, z, t'),    t' a labelled image of the same (pseudo-)class

A fraction `labelled` of the images keep their labels, the same ones for every seed, and the target's projections of
these go into a queue. An image without a label gets the majority class of its k nearest neighbours in the queue, by
cosine. Each image then also predicts a random queued projection of its class. The queue is part of the checkpoint and
the same in all processes; several processes draw other projections than one. At batch 128 and D = 128, comparing with
the queue costs less than a thousandth of a ResNet-18's step. Refused: `target.name = "shared"`, images without labels.

Unverified: only the abstract could be read: pseudo-labels from nearest neighbours in a queue of labelled embeddings,
and extra positives. That one positive is drawn, its weight, k and the size of the queue are our choices.
Differs: the paper adds them to an InfoNCE loss with RELIC's invariance term; here they join the
recipe's own objective, so with `cosine` and a predictor that is set this is no longer the paper's method.
Held to: plain loops: voting, drawing, the queue's order, the loss; nothing against the paper's numbers.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from dcp.method.objectives.base import Gather
from dcp.method.positives._queue import Queue
from dcp.method.positives.base import Extra, LabelledConfig, Positives


class Config(LabelledConfig):
    """Keys of SemPPL's positives."""

    name: Literal["semppl"] = "semppl"
    k: int = Field(
        5, ge=1, le=2**20, description="nearest labelled neighbours that vote on the class of an unlabelled image"
    )
    weight: float = Field(1.0, gt=0, description="weight of the loss towards the image of the same class")


class SemPPL(Positives):
    """Final: one more positive an image, of its class or of that for which k neighbours in the queue vote."""

    def __init__(self, queue: Queue, *, k: int, weight: float) -> None:
        super().__init__()
        self.queue, self.k, self.weight = queue, k, weight

    @torch.no_grad()
    def forward(self, t: Tensor, y: Tensor) -> Extra:
        """A remembered projection of the class y [B], or of what the neighbours of t [B, D] say it is."""
        y = torch.where(y >= 0, y, self.queue.vote(t, self.k))
        rows, there = self.queue.pick(y)
        return Extra(rows.to(t.dtype), t.new_ones(len(t)), self.weight * there.to(t.dtype))

    def update(self, t: Tensor, y: Tensor) -> None:
        """Remember the labelled ones."""
        self.queue.push(t, y)


def build(config: Config, dim: int, gather: Gather) -> Positives:
    """SemPPL's positives with an empty queue."""
    return SemPPL(Queue(config.queue, dim, gather), k=config.k, weight=config.weight)
