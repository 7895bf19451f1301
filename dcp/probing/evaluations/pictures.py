"""Pictures for the report: what the network saw, which images it finds alike, and a flat map of the test images.

    map         two coordinates an image: the first two principal components of the test features, or t-SNE
                (van der Maaten, Hinton 2008) of the images that are shown
    neighbours  the training images nearest to a few test images, by cosine similarity, as the knn evaluation
                sees them
    views       what augmentation makes of a few training images: both views in the first two epochs; of more than two
                views some in the first epoch, local ones too

It measures nothing, so it has no score. Pictures are small copies: 32 pixels on the map, 48 elsewhere, and
less than 1.5 MB in all. Where train and test are the same images, an image is not its own neighbour. Views are
drawn by the run's seed and settings, for images numbered as in train; of image files training also rounds a
crop to bytes, so that a value may differ by 1/255.

Shapes: N test images, M of them shown, Q queries, k neighbours, D features, S and s sides in pixels.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as fn

from dcp.catalogue import VariantConfig
from dcp.data.datasets.base import Dataset
from dcp.data.image_lists import ImageList
from dcp.data.layout import WHITE
from dcp.data.views import apply, files
from dcp.data.views.config import Views
from dcp.method import spectra
from dcp.probing.evaluations import base, knn, spectrum
from dcp.probing.evaluations.base import Features, Json, Origin, Scores, Subject

labels = False
QUERIES, NEIGHBOURS, VIEWED, VIEWS = 8, 6, 8, 4
MAP_SIDE, SIDE = 32, 48  # pixels
FEWEST_FOR_TSNE = 5
NO_STATISTICS = ((0.0,), (1.0,))


class Config(VariantConfig):
    """Settings of the pictures."""

    name: Literal["pictures"] = "pictures"
    map: Literal["pca", "tsne"] = Field("pca", description="how to lay out the map: PCA or t-SNE of the features")
    images: int = Field(
        256, ge=1, le=256, description="at most this many test images on the map, spread evenly over the split"
    )


def spread(n: int, count: int) -> Tensor:
    """At most `count` of 0..n-1, ascending: one from each of as many equal parts, the same ones every time.

    Where in its part is drawn, because equal steps would meet the same classes again in a split that has them in turn.

    >>> spread(2, 4).tolist()
    [0, 1]
    """
    count = min(n, count)
    within = torch.rand(count, generator=torch.Generator().manual_seed(n), dtype=torch.float64)
    return ((torch.arange(count) + within) * n / max(count, 1)).long()


def principal(x: Tensor, shown: Tensor) -> tuple[Tensor, list[float]]:
    """First two principal components of the rows `shown` [M] of x [N, D], [M, 2], and the shares of variance in them.

    The sign of a component is that of its largest loading, so that the map does not depend on the library.
    """
    _, S = spectrum.moments(x)
    eigenvalues, U = spectra.eigh(S)
    axes = U.flip(1)[:, :2]
    axes = axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()
    wide = base.wide(x)
    y: Tensor = (wide[shown.to(wide.device)] - wide.mean(0)) @ axes
    shares = spectra.divided(eigenvalues.flip(0)[:2], eigenvalues.sum()).clamp(0, 1)
    missing = (0, 2 - y.shape[1])  # of features of one dimension
    return fn.pad(y, missing).float().cpu(), fn.pad(shares, missing).tolist()


def tsne(x: Tensor, seed: int) -> Tensor:
    """Two coordinates [M, 2] of the rows of x [M, D], M >= 5, that keep near ones near; distances mean little."""
    from sklearn.manifold import TSNE

    fitted = TSNE(perplexity=min(30.0, (len(x) - 1) / 3), init="pca", random_state=seed)
    return torch.from_numpy(fitted.fit_transform(x.cpu().numpy())).float()


def flat_map(features: Features, shown: Tensor, config: Config, seed: int) -> tuple[Tensor, dict[str, Json]]:
    """Coordinates [M, 2] of the test images `shown`, and how they came about."""
    y, shares = principal(features.x, shown)
    if config.map == "pca" or len(shown) < FEWEST_FOR_TSNE or not float(y.var(0).sum()) > 0:
        return y, {"kind": "pca", "variance": shares}
    return tsne(features.x[shown.to(features.x.device)], seed), {"kind": "tsne"}


def nearest_training(subject: Subject, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine similarity and row in train, both [Q, k], of the neighbours of the test images `rows`."""
    bank, query = (fn.normalize(part.x) for part in (subject.train, subject.test))
    itself = bank.shape == query.shape and bool(torch.equal(bank, query))
    k = min(NEIGHBOURS + itself, len(bank))
    value, index = (part.cpu() for part in knn.nearest(query[rows.to(query.device)].to(bank), bank, k))
    if not itself:
        return value, index
    # what is farthest goes where the image does not find itself, among copies of it
    own = index == rows[:, None]
    own[:, -1] |= ~own.any(1)
    return value[~own].view(len(rows), k - 1), index[~own].view(len(rows), k - 1)


def thumbnails(data: Dataset, rows: Tensor, size: int, side: int) -> Tensor:
    """The images at `rows` as evaluation sees them, uint8 [len(rows), 3, s, s] with s = min(size, side)."""
    seen = [shown(files.resize_center(_image(data, i), size)) for i in rows.tolist()]
    empty = torch.zeros(0, 3, size, size, dtype=torch.uint8)
    return _small(torch.stack(seen) if seen else empty, side)


def chosen(config: Views) -> list[tuple[int, int]]:
    """The views that are shown, (epoch, number): at most `VIEWS` of an image, so that the pictures stay small.

    >>> chosen(Views())
    [(0, 0), (0, 1), (1, 0), (1, 1)]
    >>> chosen(Views(count=8, local={"count": 6}))
    [(0, 0), (0, 1), (0, 8), (0, 9)]
    """
    whole, local = range(config.count), range(config.count, config.count + config.local.count)
    if not local:
        return [(epoch, number) for epoch in range(VIEWS // len(whole) or 1) for number in whole[:VIEWS]]
    return [(0, number) for number in (*whole[: VIEWS // 2], *local[: VIEWS // 2])]


def viewed(origin: Origin, rows: Tensor, seed: int) -> Tensor:
    """The `chosen` views of the training images `rows`, uint8 [Q, len(chosen), 3, s, s]."""
    asked = chosen(origin.config)
    drawn: Tensor = torch.cat([view for i in rows.tolist() for view in _views(origin, i, seed, asked)])
    return drawn.view(len(rows), len(asked), *drawn.shape[1:])


def _views(origin: Origin, i: int, seed: int, asked: Sequence[tuple[int, int]]) -> Iterator[Tensor]:
    """Views of one image, uint8 [1, 3, s, s] each; local ones are brought to the side of the others."""
    image, index, side = _image(origin.train, i).unsqueeze(0), torch.tensor([i]), min(origin.size, SIDE)
    mean, std = (torch.tensor(s).view(-1, 1, 1) for s in origin.config.statistics() or NO_STATISTICS)
    for epoch, numbers in groupby(asked, key=itemgetter(0)):
        views = apply.random_views(image, index, origin.config, seed=seed, epoch=epoch, size=origin.size)
        for _, number in numbers:
            pixels = shown(((views[number] * std + mean).clamp(0, 1) * 255).round().to(torch.uint8))
            yield pixels if pixels.shape[-1] == side else _resized(pixels, side)


def shown(images: Tensor) -> Tensor:
    """Images [..., C, s, s] as people see them, uint8 [..., 3, s, s]: one channel as grey, of several the first three.

    Two are red and green.
    """
    if images.dtype != torch.uint8:
        images = images.float().mul_(255 / WHITE[images.dtype]).round_().to(torch.uint8)
    channels = images.shape[-3]
    if channels == 1:
        return images.expand(*images.shape[:-3], 3, *images.shape[-2:])
    if channels == 2:
        return torch.cat((images, torch.zeros_like(images[..., :1, :, :])), dim=-3)
    return images[..., :3, :, :]


def _image(data: Dataset, i: int) -> Tensor:
    images = data.images
    return images.decode(i) if isinstance(images, ImageList) else images[i].cpu()


def _small(images: Tensor, side: int) -> Tensor:
    if images.shape[-1] <= side or len(images) == 0:
        return images
    return _resized(images, side)


def _resized(images: Tensor, side: int) -> Tensor:
    return fn.interpolate(images, size=(side, side), mode="bilinear", antialias=True)


@torch.no_grad()
def evaluate(subject: Subject, config: Config, *, seed: int) -> Scores:
    """No score; the pictures are in `arrays`, their classes, the kind of map and which views they are in `extra`.

    Raises:
        RunError: an image cannot be read.
    """
    origin = subject.origin
    assert origin is not None, "a probe says what its features were made from"
    base.check(subject, labels=False)
    shown, asked = spread(len(subject.test), config.images), spread(len(subject.test), QUERIES)
    xy, kind = flat_map(subject.test, shown, config, seed)
    similarity, near = nearest_training(subject, asked)
    seen = spread(len(subject.train), VIEWED)
    arrays = {
        "map_xy": xy,
        "map_row": shown,
        "map_label": subject.test.y.cpu()[shown],
        "map_image": thumbnails(origin.test, shown, origin.size, MAP_SIDE),
        "query_row": asked,
        "query_label": subject.test.y.cpu()[asked],
        "query_image": thumbnails(origin.test, asked, origin.size, SIDE),
        "near_row": near,
        "near_label": subject.train.y.cpu()[near],
        "near_similarity": similarity.float(),
        "near_image": thumbnails(origin.train, near.flatten(), origin.size, SIDE).unflatten(0, near.shape),
        "viewed_row": seen,
        "viewed_image": thumbnails(origin.train, seen, origin.size, SIDE),
        "viewed_views": viewed(origin, seen, seed),
    }
    whole = origin.config.count
    views: Json = [{"epoch": epoch, "view": i, "local": i >= whole} for epoch, i in chosen(origin.config)]
    extra: dict[str, Json] = {"classes": list(subject.classes), "map": kind, "views": views}
    return Scores({}, len(subject.test), settings=config.model_dump(mode="json"), extra=extra, arrays=arrays)
