"""Queue: the last labelled projections of the target, all alike in every process.

Nothing here waits for the device: shapes never depend on how many images of a batch have a label.

Shapes: B images in the batch, N images of all processes, D projection size, Q places.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from dcp.method.objectives.base import Gather


class Queue(nn.Module):
    """Final: Q places, each with a projection [D] and its class, or empty (class -1)."""

    rows: Tensor
    classes: Tensor
    pushed: Tensor

    def __init__(self, size: int, dim: int, gather: Gather) -> None:
        super().__init__()
        self.gather = gather
        self.register_buffer("rows", torch.zeros(size, dim))
        self.register_buffer("classes", torch.full((size,), -1))
        self.register_buffer("pushed", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def push(self, t: Tensor, y: Tensor) -> None:
        """The labelled of t [B, D] with classes y [B] take the places of the oldest."""
        # one tensor, so that processes talk once; classes below 2**24 are exact in float32
        every, _ = self.gather(torch.cat([t, y.to(t.dtype).unsqueeze(1)], 1))
        labelled_last = (every[:, -1] >= 0).long().argsort(stable=True)[-len(self.classes) :]
        t, y = every[labelled_last, :-1], every[labelled_last, -1].long()
        labelled = y >= 0
        first = len(y) - labelled.sum()  # those before it go where they change nothing
        place = (self.pushed + torch.arange(len(y), device=y.device) - first) % len(self.classes)
        self.rows[place] = torch.where(labelled.unsqueeze(1), t.to(self.rows.dtype), self.rows[place])
        self.classes[place] = torch.where(labelled, y, self.classes[place])
        self.pushed += labelled.sum()

    def vote(self, t: Tensor, k: int) -> Tensor:
        """The class [B] that most of the k nearest by cosine have, the nearest of equals; -1 for an empty queue."""
        similar = fn.normalize(t.to(self.rows.dtype), dim=1) @ fn.normalize(self.rows, dim=1).T
        similar = similar.masked_fill(self.classes < 0, -2.0)  # below any cosine
        near = self.classes[similar.topk(min(k, len(self.classes)), dim=1).indices]
        agreeing = ((near.unsqueeze(2) == near.unsqueeze(1)).sum(2)).masked_fill(near < 0, 0)
        return near.gather(1, agreeing.argmax(1, keepdim=True)).squeeze(1)

    def pick(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """A random one of the class y [B], by torch's generator: rows [B, D], and where there is one [B]."""
        same = self._same(y)
        chosen = torch.rand(same.shape, device=y.device).masked_fill(~same, -1.0).argmax(1)
        return self.rows[chosen], same.any(1)

    def mean(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """The mean of the class y [B]: rows [B, D], zero where there is none, and where there is one [B]."""
        same = self._same(y)
        count = same.sum(1, keepdim=True)
        return same.to(self.rows.dtype) @ self.rows / count.clamp_min(1), count.squeeze(1) > 0

    def _same(self, y: Tensor) -> Tensor:
        """[B, Q] whether a place has the class y [B], which must be known."""
        return (self.classes == y.unsqueeze(1)) & (y >= 0).unsqueeze(1)
