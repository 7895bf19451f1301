"""Weighted nearest neighbours on frozen features (Wu, Xiong, Yu, Lin 2018, arXiv:1805.01978, section 3.4).

    class of x = argmax_c Σ over the k nearest training images i of class c: exp(cos(x, x_i) / T)

k = 20 and T = 0.07 are DINO's for ImageNet; lightly's CIFAR tables use k = 200 and T = 0.1. There, k and the
best epoch are read off the test images; here both are given beforehand. Nothing is fitted and no image is
augmented.

The search is exact. Ties are settled by rank: of equally near neighbours those that come first in the
training set, of equally voted classes the one with the lowest number. A class without a single neighbour is
no guess, and never a top-5 hit.

Shapes: N training images, B test images at a time, D features, K classes.
"""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as fn

from dcp import evaluation
from dcp.errors import RequestError
from dcp.evaluation import Scores, Subject
from dcp.variants import VariantConfig

labels = True
# similarities held at a time: 256 MB, whatever the size of the data
SIMILARITIES_AT_A_TIME = 2**26


class Config(VariantConfig):
    """Settings of the nearest-neighbour classifier."""

    name: Literal["knn"] = "knn"
    k: int = Field(20, ge=1, description="neighbours that vote")
    temperature: float = Field(0.07, gt=0, description="T: a neighbour nearer by T in cosine weighs e times as much")


def nearest(query: Tensor, bank: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Similarity, descending, and row number, both [B, k], of the rows of `bank` nearest to each `query`.

    Args:
        query: [B, D], rows of unit length.
        bank: [N, D], rows of unit length.
        k: in 1..N.
    """
    similarity = query @ bank.T
    value, index = similarity.topk(min(k + 1, len(bank)), dim=1)
    if k < len(bank):
        # topk takes any of several equals; where it left one out, sort that row and keep their order
        tied = (value[:, k - 1] == value[:, k]).nonzero().squeeze(1)
        full = similarity[tied].sort(dim=1, descending=True, stable=True)
        value[tied, :k], index[tied, :k] = full.values[:, :k], full.indices[:, :k]
    return value[:, :k], index[:, :k]


def votes(similarity: Tensor, label: Tensor, classes: int, temperature: float) -> Tensor:
    """Sum of the neighbours' weights by class [B, K], in units of the nearest one's weight.

    Args:
        similarity: [B, k], descending.
        label: [B, k] classes of the neighbours.
        classes: K.
        temperature: T.
    """
    weight = ((similarity - similarity[:, :1]) / temperature).exp()
    total = similarity.new_zeros(len(similarity), classes)
    for j in range(label.shape[1]):  # one neighbour at a time: on a GPU a sum of several has no fixed order
        total.scatter_add_(1, label[:, j : j + 1], weight[:, j : j + 1])
    return total


def ranking(query: Tensor, bank: Tensor, label: Tensor, classes: int, config: Config) -> Tensor:
    """Up to five classes [B, min(5, K)] of each query, best first; -1 where no neighbour speaks for one more.

    Args:
        query: [B, D], rows of unit length.
        bank: [N, D], rows of unit length.
        label: [N] their classes.
        classes: K.
        config: k and T.
    """
    similarity, index = nearest(query, bank, config.k)
    total = votes(similarity, label[index], classes, config.temperature)
    value, order = total.sort(dim=1, descending=True, stable=True)
    return torch.where(value > 0, order, evaluation.UNLABELLED)[:, :5]


@torch.no_grad()
def evaluate(subject: Subject, config: Config, *, seed: int) -> Scores:
    """Top-1 (and, from 6 classes on, top-5) accuracy of the vote; `seed` decides nothing here.

    Raises:
        RequestError: more neighbours are asked for than there are training images, or labels are missing.
        RunError: features are not finite.
    """
    for split, features in (("train", subject.train), ("test", subject.test)):
        evaluation.check(features, split, labels=True)
    n, classes = len(subject.train), evaluation.class_count(subject)
    if config.k > n:
        raise RequestError(f"{config.k} neighbours were asked for, but there are {n} training images",
                           slug="too-many-neighbours", where="probe.knn.k", hint=f"k up to {n}")  # fmt: skip
    bank, label = fn.normalize(subject.train.x), subject.train.y.to(subject.train.x.device)
    chunks = torch.split(subject.test.x, max(1, SIMILARITIES_AT_A_TIME // n))
    best = [ranking(fn.normalize(x.to(bank)), bank, label, classes, config).cpu() for x in chunks]
    return evaluation.ranked(torch.cat(best), subject, config.model_dump(mode="json"), {})
