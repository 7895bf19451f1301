"""Readouts: how good the features are while they are learnt, by nearest neighbours and by a linear layer.

A tenth of the labelled training images, drawn once, is held out from the readouts (not from the encoder): on these they
guess, from the others they learn, and no gradient of theirs reaches the encoder. `online_linear` and `online_knn` are
the shares of an epoch's held-out images that were guessed right, at the time their first views came along. No test
image is looked at. They are views, and the encoder moves meanwhile: no substitute for `dcp probe`.

The neighbours (k = 20, T = 0.07; Wu et al. 2018) are among the last 4,096 images learnt from. The linear layer is a
softmax regression on features standardised with their batch, by Adam (Kingma, Ba 2015).

Shapes: N images, B of this process, D features, K classes, Q images remembered.
"""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from dcp.data.datasets.base import Dataset
from dcp.hardware.processes import Process
from dcp.probing.evaluations import knn

REMEMBERED = 4096  # Q
HELD_OUT = 10  # one image in so many
DRAW = 2**63 - 1  # seed of which; beyond those of `Plan.order`, whose first tenth they would be otherwise
NEIGHBOURS, TEMPERATURE = 20, 0.07
RATE, BETA1, BETA2, TINY = 3e-3, 0.9, 0.999, 1e-8  # of Adam
NO_CLASS = -1
Rows: TypeAlias = Tensor | slice


class Readout(nn.Module):
    """What the readouts remember, as buffers that a checkpoint keeps.

    Args:
        features: D.
        classes: K.
        labels: int64 [N] of all training images.
        total: adds a tensor up over processes; each remembers its own images, the linear layer is the same everywhere.
    """

    labels: Tensor
    held_out: Tensor
    bank: Tensor
    label: Tensor
    weight: Tensor
    first: Tensor
    second: Tensor
    updates: Tensor
    tally: Tensor

    def __init__(self, features: int, classes: int, labels: Tensor, total: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.total = total
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(DRAW))
        held_out = torch.zeros(len(labels), dtype=torch.bool)
        held_out[order[: len(labels) // HELD_OUT]] = True
        self.register_buffer("labels", labels, persistent=False)
        self.register_buffer("held_out", held_out, persistent=False)
        self.register_buffer("bank", torch.zeros(REMEMBERED, features))
        self.register_buffer("label", torch.full((REMEMBERED,), NO_CLASS))
        for name in ("weight", "first", "second"):
            self.register_buffer(name, torch.zeros(classes, features + 1))
        self.register_buffer("updates", torch.zeros(()))
        self.register_buffer("tally", torch.zeros(4, dtype=torch.int64))  # right and seen: kNN, then linear

    @property
    def picks_rows(self) -> bool:
        """Whether the host may look which images are held out: it need not wait for a CPU."""
        return self.bank.is_cpu

    @torch.no_grad()
    def add(self, h: Tensor, index: Tensor) -> None:
        """Guess on those of features h [B, D] that are held out, learn from the others.

        A CPU picks the rows of either kind of the images `index` [B]. Other devices are asked for nothing, so that no
        shape depends on how many there are: there all rows are computed, and those of the other kind count nothing.
        """
        index = index.to(h.device, non_blocking=True)
        held, y = self.held_out[index], self.labels[index]
        guessed: Rows = held.nonzero().squeeze(1) if self.picks_rows else slice(None)
        learnt: Rows = (~held).nonzero().squeeze(1) if self.picks_rows else slice(None)
        unit, x = fn.normalize(h), fn.pad(standardised(h), (0, 1), value=1.0)
        if len(x[guessed]):
            counts, remembers = held[guessed], (self.label != NO_CLASS).any()
            by_neighbours = (self._neighbours(unit[guessed]) == y[guessed]) & counts & remembers
            by_linear = ((x[guessed] @ self.weight.T).argmax(1) == y[guessed]) & counts
            seen = counts.sum()
            self.tally += torch.stack([by_neighbours.sum(), seen * remembers, by_linear.sum(), seen])
        self._learn(x[learnt], y[learnt], ~held[learnt])
        self._remember(unit[learnt], y[learnt], ~held[learnt])

    def _neighbours(self, unit: Tensor) -> Tensor:
        """The class that the neighbours of each row vote for; anything while nothing is remembered."""
        near, index = (unit @ self.bank.T).masked_fill(self.label == NO_CLASS, -1e3).topk(NEIGHBOURS, dim=1)
        label = self.label[index].clamp_min(0)
        return knn.votes(near, label, len(self.weight), TEMPERATURE).argmax(1)

    def _learn(self, x: Tensor, y: Tensor, counts: Tensor) -> None:
        """One step of Adam on the cross-entropy of those that count: its gradient is (softmax - one-hot)ᵀ x / B."""
        one_hot = (y.unsqueeze(1) == torch.arange(len(self.weight), device=y.device)).float()
        error = ((x @ self.weight.T).softmax(1) - one_hot) * counts.unsqueeze(1)
        sums = self.total(torch.cat([(error.T @ x).flatten(), counts.sum(0, keepdim=True).to(x.dtype)]))
        gradient = (sums[:-1] / sums[-1].clamp_min(1)).view_as(self.weight)
        self.updates += 1
        self.first.lerp_(gradient, 1 - BETA1)
        self.second.lerp_(gradient.square(), 1 - BETA2)
        mean, square = self.first / (1 - BETA1**self.updates), self.second / (1 - BETA2**self.updates)
        self.weight.sub_(RATE * mean / (square.sqrt() + TINY))

    def _remember(self, unit: Tensor, y: Tensor, counts: Tensor) -> None:
        """The rows that count are the newest, and as many of the oldest go."""
        if len(y) == 0:
            return
        place = torch.arange(REMEMBERED, device=y.device) + counts.sum()  # in the old ones, then those that count
        first = (~counts).long().argsort(stable=True)  # rows that count, in their order, before the others
        new = first[(place - REMEMBERED).clamp(0, len(y) - 1)] + REMEMBERED
        source = torch.where(place < REMEMBERED, place, new)
        self.bank.copy_(torch.cat([self.bank, unit])[source])
        self.label.copy_(torch.cat([self.label, y])[source])

    def read(self) -> dict[str, float]:
        """Shares right since the last reading, over all processes; begins anew. Asks the device."""
        knn_right, knn_seen, right, seen = self.total(self.tally.clone()).tolist()
        self.tally.zero_()
        counts = {"online_knn": (knn_right, knn_seen), "online_linear": (right, seen)}
        return {name: hits / count for name, (hits, count) in counts.items() if count}

    def gather(self, *, first: bool) -> None:
        """Bring what was counted to the first process, whose state a checkpoint keeps; called by all of them."""
        self.tally.copy_(self.total(self.tally.clone()) * int(first))

    def forget(self) -> None:
        """Drop the images and counts of another process, keep the linear layer: after loading the first one's state."""
        self.label.fill_(NO_CLASS)
        self.tally.zero_()


def standardised(h: Tensor) -> Tensor:
    """Features [B, D] with mean 0 and deviation 1 over the batch; 0 where they do not vary."""
    return fn.normalize(h - h.mean(0), dim=0) * float(len(h) ** 0.5)


def fitting(data: Dataset, features: int, process: Process) -> Readout | None:
    """A readout of the D `features` of these images on the process's device; None for images without labels."""
    if data.labels is None:
        return None
    classes = max(len(data.classes), int(data.labels.max()) + 1)
    return Readout(features, classes, data.labels, process.total).to(process.device)
