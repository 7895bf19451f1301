"""Readouts: how good the features are while they are learnt, by nearest neighbours and by a linear layer.

Both see the features of each batch's first views and the labels of the training images; no gradient reaches the
encoder. An image counts before it is learnt from: `online_linear` is the share of an epoch's images that the linear
layer had right when it met them, `online_knn` that of the nearest neighbours (k = 20, T = 0.07; Wu et al. 2018)
among the images of the last steps, at the steps that write a line. No test image is looked at. These are views, not
images, and the encoder moves meanwhile: the numbers are no substitute for those of `dcp probe`.

The linear layer is a softmax regression on features standardised with their batch, by Adam (Kingma, Ba 2015).

Shapes: B images of this process, D features, K classes, Q images remembered.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from dcp.evaluations import knn

REMEMBERED = 4096  # Q
NEIGHBOURS, TEMPERATURE = 20, 0.07
RATE, BETA1, BETA2, TINY = 3e-3, 0.9, 0.999, 1e-8  # of Adam
NO_CLASS = -1


class Readout(nn.Module):
    """What the readouts remember, as buffers that a checkpoint keeps.

    Args:
        features: D.
        classes: K.
        total: adds a tensor up over processes; each remembers its own images, the linear layer is the same everywhere.
    """

    bank: Tensor
    label: Tensor
    weight: Tensor
    first: Tensor
    second: Tensor
    updates: Tensor
    tally: Tensor

    def __init__(self, features: int, classes: int, total: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.total = total
        self.register_buffer("bank", torch.zeros(REMEMBERED, features))
        self.register_buffer("label", torch.full((REMEMBERED,), NO_CLASS))
        for name in ("weight", "first", "second"):
            self.register_buffer(name, torch.zeros(classes, features + 1))
        self.register_buffer("updates", torch.zeros(()))
        self.register_buffer("tally", torch.zeros(4, dtype=torch.float64))  # right and seen: kNN, then linear

    @torch.no_grad()
    def add(self, h: Tensor, y: Tensor, *, with_neighbours: bool) -> None:
        """Guess, count, then learn; asks the device for nothing.

        Args:
            h: [B, D] features.
            y: [B] their classes.
            with_neighbours: whether the nearest neighbours guess too.
        """
        unit = fn.normalize(h)
        if with_neighbours:
            self._count(0, self._neighbours(unit) == y, (self.label != NO_CLASS).any())
        x = fn.pad(standardised(h), (0, 1), value=1.0)
        logits = x @ self.weight.T
        self._count(2, logits.argmax(1) == y, torch.ones_like(y[0], dtype=torch.bool))
        self._learn(logits, x, y)
        self.bank.copy_(torch.cat([self.bank, unit])[-REMEMBERED:])
        self.label.copy_(torch.cat([self.label, y])[-REMEMBERED:])

    def _count(self, place: int, right: Tensor, counts: Tensor) -> None:
        self.tally[place] += (right & counts).sum()
        self.tally[place + 1] += counts * len(right)

    def _neighbours(self, unit: Tensor) -> Tensor:
        """The class that the neighbours of each row vote for; anything while nothing is remembered."""
        near, index = (unit @ self.bank.T).masked_fill(self.label == NO_CLASS, -1e3).topk(NEIGHBOURS, dim=1)
        label = self.label[index].clamp_min(0)
        return knn.votes(near, label, len(self.weight), TEMPERATURE).argmax(1)

    def _learn(self, logits: Tensor, x: Tensor, y: Tensor) -> None:
        """One step of Adam on the cross-entropy, whose gradient is (softmax - one-hot)ᵀ x / B."""
        error = logits.softmax(1) - (y.unsqueeze(1) == torch.arange(len(self.weight), device=y.device)).float()
        sums = self.total(torch.cat([(error.T @ x).flatten(), x.new_full((1,), len(x))]))
        gradient = (sums[:-1] / sums[-1]).view_as(self.weight)
        self.updates += 1
        self.first.lerp_(gradient, 1 - BETA1)
        self.second.lerp_(gradient.square(), 1 - BETA2)
        mean, square = self.first / (1 - BETA1**self.updates), self.second / (1 - BETA2**self.updates)
        self.weight.sub_(RATE * mean / (square.sqrt() + TINY))

    def read(self) -> dict[str, float]:
        """Shares right since the last reading, over all processes; begins anew. Asks the device."""
        knn_right, knn_seen, right, seen = self.total(self.tally.clone()).tolist()
        self.tally.zero_()
        found = {"online_knn": (knn_right, knn_seen), "online_linear": (right, seen)}
        return {name: hits / count for name, (hits, count) in found.items() if count}


def standardised(h: Tensor) -> Tensor:
    """Features [B, D] with mean 0 and deviation 1 over the batch; 0 where they do not vary."""
    scale: float = len(h) ** 0.5
    return fn.normalize(h - h.mean(0), dim=0) * scale
