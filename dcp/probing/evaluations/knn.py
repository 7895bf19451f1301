"""Weighted nearest neighbours on frozen features (Wu, Xiong, Yu, Lin 2018, arXiv:1805.01978, section 3.4).

    class of x = argmax_c Σ over the k nearest training images i of class c: exp(cos(x, x_i) / T)

k = 20 and T = 0.07 are DINO's for ImageNet; lightly's CIFAR tables use k = 200 and T = 0.1. There, k and the
best epoch are read off the test images; here those of several k and T are taken that classify training images
best, each by its neighbours among all others (leave-one-out). Of equals the smallest k, then the smallest T.
Nothing is fitted and no image is augmented.

The search is exact. Ties are settled by rank: of equally near neighbours those that come first in the
training set, of equally voted classes the one with the lowest number. A class without a single neighbour is
no guess, and never a top-5 hit.

Shapes: N training images, B test images at a time, D features, K classes.
"""

from itertools import product
from typing import Annotated, Any, Literal

import torch
from pydantic import Discriminator, Field, Tag
from torch import Tensor
from torch.nn import functional as fn

from dcp.catalogue import IMAGES, VariantConfig
from dcp.data import splits
from dcp.errors import RequestError
from dcp.probing.evaluations import base
from dcp.probing.evaluations.base import Json, Scores, Subject

labels = True
# similarities held at a time: 256 MB, whatever the size of the data
SIMILARITIES_AT_A_TIME = 2**26


def _shape(value: Any) -> str:
    return "several" if isinstance(value, (tuple, list)) else "one"


Count = Annotated[int, Field(ge=1, le=IMAGES)]
Positive = Annotated[float, Field(gt=0)]
# tagged, so that a wrong value is reported once and not once for every form that it does not have
Counts = Annotated[
    Annotated[Count, Tag("one")] | Annotated[Annotated[tuple[Count, ...], Field(min_length=1)], Tag("several")],
    Discriminator(_shape),
]
Positives = Annotated[
    Annotated[Positive, Tag("one")] | Annotated[Annotated[tuple[Positive, ...], Field(min_length=1)], Tag("several")],
    Discriminator(_shape),
]


class Config(VariantConfig):
    """Settings of the nearest-neighbour classifier."""

    name: Literal["knn"] = "knn"
    k: Counts = Field(
        (10, 20, 50, 100, 200),
        description="number of neighbours; of several, the best on training images is used",
    )
    temperature: Positives = Field(
        (0.02, 0.04, 0.07, 0.1, 0.2),
        description="temperature T of the weights exp(cosine / T); of several, the best on training images",
    )
    queries: int = Field(
        5000,
        ge=1,
        le=IMAGES,
        description="number of training images used to choose k and T, class-balanced",
    )

    def grid(self, n: int) -> list[tuple[int, float]]:
        """(k, T) to choose from with `n` training images: larger k of several are left out; if all are, n is taken.

        Raises:
            RequestError: the only k is larger than n.
        """
        if isinstance(self.k, int) and self.k > n:
            raise RequestError(f"{self.k} neighbours were asked for, but there are {n} training images",
                               slug="too-many-neighbours", where="probe.knn.k", hint=f"k up to {n}")  # fmt: skip
        counts = (self.k,) if isinstance(self.k, int) else [k for k in sorted(set(self.k)) if k <= n] or [n]
        temperatures = self.temperature if isinstance(self.temperature, tuple) else (self.temperature,)
        return list(product(counts, sorted(set(temperatures))))


def nearest(query: Tensor, bank: Tensor, k: int, own: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Similarity, descending, and row number, both [B, k], of the rows of `bank` nearest to each `query`.

    Rows of query [B, D] and bank [N, D] have unit length; `own` [B] is the row of `bank` that each query is itself,
    which is no neighbour. k is in 1..N, below N with `own`.
    """
    similarity = query @ bank.T
    if own is not None:
        similarity.scatter_(1, own.unsqueeze(1), -torch.inf)
    value, index = similarity.topk(min(k + 1, len(bank)), dim=1)
    if k < len(bank):
        # topk takes any of several equals; where it left one out, sort that row and keep their order
        tied = (value[:, k - 1] == value[:, k]).nonzero().squeeze(1)
        full = similarity[tied].sort(dim=1, descending=True, stable=True)
        value[tied, :k], index[tied, :k] = full.values[:, :k], full.indices[:, :k]
    return value[:, :k], index[:, :k]


def votes(similarity: Tensor, label: Tensor, classes: int, temperature: float) -> Tensor:
    """Sum of the neighbours' weights by class [B, K], in units of the nearest one's weight.

    The neighbours have `similarity` [B, k], descending, and class `label` [B, k].
    """
    weight = ((similarity - similarity[:, :1]) / temperature).exp()
    total = similarity.new_zeros(len(similarity), classes)
    for j in range(label.shape[1]):  # one neighbour at a time: on a GPU a sum of several has no fixed order
        total.scatter_add_(1, label[:, j : j + 1], weight[:, j : j + 1])
    return total


def ranking(query: Tensor, bank: Tensor, label: Tensor, classes: int, k: int, temperature: float) -> Tensor:
    """Up to five classes [B, min(5, K)] of each query, best first; -1 where no neighbour speaks for one more."""
    similarity, index = nearest(query, bank, k)
    total = votes(similarity, label[index], classes, temperature)
    value, order = total.sort(dim=1, descending=True, stable=True)
    return torch.where(value > 0, order, base.UNLABELLED)[:, :5]


def left_out(bank: Tensor, label: Tensor, classes: int, grid: list[tuple[int, float]], rows: Tensor) -> list[float]:
    """Accuracy of each (k, T) on training images `rows` of N > 1, each classified by all others; k = N means N - 1."""
    right = [0] * len(grid)
    for own in torch.split(rows, max(1, SIMILARITIES_AT_A_TIME // len(bank))):
        similarity, index = nearest(bank[own], bank, min(grid[-1][0], len(bank) - 1), own)
        for i, (k, temperature) in enumerate(grid):
            total = votes(similarity[:, :k], label[index[:, :k]], classes, temperature)
            right[i] += int((total.argmax(1) == label[own]).sum())
    return [count / len(rows) for count in right]


def chosen(bank: Tensor, label: Tensor, classes: int, config: Config, seed: int) -> tuple[int, float, dict[str, Json]]:
    """k, T, and how they came about."""
    grid = config.grid(len(bank))
    if len(grid) == 1 or len(bank) == 1:
        return *grid[0], {"k": grid[0][0], "temperature": grid[0][1]}
    rows = splits.evenly(label, min(config.queries, len(bank)), seed).to(bank.device)
    accuracy = left_out(bank, label, classes, grid, rows)
    k, temperature = grid[accuracy.index(max(accuracy))]
    left: list[Json] = [{"k": k, "temperature": T, "top1": a} for (k, T), a in zip(grid, accuracy, strict=True)]
    return k, temperature, {"k": k, "temperature": temperature, "left_out": left}


@torch.no_grad()
def evaluate(subject: Subject, config: Config, *, seed: int) -> Scores:
    """Top-1 (and, from 6 classes on, top-5) accuracy of the vote; `seed` decides which images choose k and T.

    Raises:
        RequestError: more neighbours are asked for than there are training images.
    """
    base.check(subject, labels=True)
    classes = base.class_count(subject)
    bank, label = fn.normalize(subject.train.x), subject.train.y.to(subject.train.x.device)
    k, temperature, extra = chosen(bank, label, classes, config, seed)
    chunks = torch.split(subject.test.x, max(1, SIMILARITIES_AT_A_TIME // len(bank)))
    best = [ranking(fn.normalize(x.to(bank)), bank, label, classes, k, temperature).cpu() for x in chunks]
    return base.ranked(torch.cat(best), subject, config.model_dump(mode="json"), extra)
