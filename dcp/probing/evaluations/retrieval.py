"""Retrieval: how near the top of all training images, by cosine, do those of a test image's own class stand?

    AP of a query = 1/R Σ over its R images of the same class: (how many of them stand up to this one) / (its place)

`map` is the mean of AP over the queries, without interpolation and over the whole gallery (Manning, Raghavan, Schütze
2008, section 8.4); `precision_at_k` is the share of the first k that are of the query's class. Nothing is fitted or
chosen. The ranking is exact; equally near images stand in the order of the training set. A query whose class the
gallery has not counts as 0.

`arrays` holds the value of every score for each query.

Shapes: N gallery images, B queries at a time, D features.
"""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as fn

from dcp.catalogue import IMAGES, VariantConfig
from dcp.data import splits
from dcp.probing.evaluations import base
from dcp.probing.evaluations.base import Scores, Subject

labels = True
# similarities held at a time: 64 MB, beside which sorting takes four times as much
SIMILARITIES_AT_A_TIME = 2**24


class Config(VariantConfig):
    """Settings of the retrieval."""

    name: Literal["retrieval"] = "retrieval"
    at: tuple[Annotated[int, Field(ge=1, le=IMAGES)], ...] = Field(
        (1, 10), description="values of k for precision_at_k"
    )
    queries: int = Field(
        10_000, ge=1, le=IMAGES, description="at most this many query images, a fixed class-balanced subset"
    )


def relevant(query: Tensor, gallery: Tensor, y: Tensor, y_gallery: Tensor) -> Tensor:
    """Whether the image at each place is of the query's class, bool [B, N], nearest first; rows have unit length."""
    order = (query @ gallery.T).sort(dim=1, descending=True, stable=True).indices
    return y_gallery[order] == y.unsqueeze(1)


def average_precision(hit: Tensor) -> Tensor:
    """AP [B] of rankings hit [B, N]; 0 where nothing is hit.

    >>> float(average_precision(torch.tensor([[True, False, True, False]])))
    0.8333333730697632
    """
    rank = torch.arange(1, hit.shape[1] + 1, device=hit.device)
    count = hit.cumsum(1)
    precision = torch.where(hit, count / rank, 0.0)
    return precision.sum(1) / count[:, -1].clamp_min(1)


@torch.no_grad()
def evaluate(subject: Subject, config: Config, *, seed: int) -> Scores:
    """Mean average precision, and precision among the first k; `seed` decides nothing here."""
    base.check(subject, labels=True)
    gallery, y_gallery = fn.normalize(subject.train.x), subject.train.y.to(subject.train.x.device)
    n = min(config.queries, len(subject.test))
    asking = splits.evenly(subject.test.y, n, seed=0).sort().values  # the same for all runs, that they can be paired
    at = [(f"precision_at_{k}", k) for k in config.at]
    parts: list[dict[str, Tensor]] = []
    for rows in torch.split(asking, max(1, SIMILARITIES_AT_A_TIME // len(gallery))):
        query = fn.normalize(subject.test.x[rows.to(subject.test.x.device)]).to(gallery)
        hit = relevant(query, gallery, subject.test.y[rows].to(gallery.device), y_gallery)
        parts.append({"map": average_precision(hit)} | {name: hit[:, :k].sum(1) / k for name, k in at})
    arrays = {name: torch.cat([part[name].cpu() for part in parts]).double() for name in parts[0]}
    return Scores(
        score={name: float(value.mean()) for name, value in arrays.items()},
        n=n,
        interval={name: base.mean_interval(value) for name, value in arrays.items()},
        settings={**config.model_dump(mode="json"), "train_images": len(gallery)},
        arrays={**arrays, "query": asking},
    )
