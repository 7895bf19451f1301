"""Shapes: labelled images made from a seed, on which self-supervision shows its worth in a minute on a CPU.

An image is a lattice of copies of one glyph, four across, and its class is which glyph: one or two strokes in
one of four directions, a plus, a ring. Two random crops share the class before all else, so the class is
what invariance to crops leaves over. Whatever else varies is drawn anew for every copy (place, size, tilt,
bright or dark, tint): what is drawn once an image is shared by its crops too, and a shortcut. Nor may it add
up to one: every image has the same mean in each channel and the same contrast before pixels are cut to 0..255.

A glyph is bright as often as dark and may lie anywhere, so the mean image of every class is grey and a linear
classifier of pixels finds little. A mirror makes "slash" a "backslash", so recipes set `views.flip` to 0.

The numbers come by counter, the pixels by correctly rounded float64 operations and integer sums: the same
bytes on every machine. Legend: B, N images, S side in pixels.
"""

from collections.abc import Callable
from functools import partial
from math import sqrt
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from dcp.data.datasets.base import DataConfig, Dataset, Split
from dcp.data.views.random_numbers import uniform

LATTICE = 4  # glyphs across an image
CHUNK = 256  # images drawn at a time: 15 MB of float64 at 32 pixels
CONTRAST = 56  # standard deviation of the pixels of an image before they are cut to 0..255
LEVELS = 1 << 12  # ink is rounded to this many levels, so that its sums are exact
TILT = 0.15  # largest tangent of a copy's own tilt: 8.5 degrees


class Config(DataConfig):
    """Keys of shapes."""

    own_size: ClassVar[int] = 32
    licence: ClassVar[str] = "drawn by dcp: as dcp itself, Apache-2.0"

    source: Literal["shapes"] = Field("shapes", description="ten kinds of glyphs, made from a seed; needs no files")
    images: int = Field(4096, ge=10, le=10_000_000, description="images of pretrain and of train (the same ones)")
    test_images: int = Field(1024, ge=10, le=10_000_000, description="images of test")
    seed: int = Field(0, ge=0, lt=2**31, description="of the images, whatever the run's own seed is")
    image_size: int | None = Field(
        None, ge=8, le=4096, description="side of the square images in pixels; without it 32"
    )
    root: str | None = Field(None, description="not used: there are no files")
    download: bool = Field(False, description="not used: there is nothing to fetch")


def load(config: Config, split: Split) -> Dataset:
    """One split in memory: uint8 [N, 3, S, S]; 4,096 images of 32 pixels take a second or two.

    Image i depends on the seed, the side and i alone, not on how many there are. Its label is i modulo 10.
    pretrain is train, labels and all.
    """
    test = split == "test"
    index = torch.arange(config.test_images if test else config.images)
    draw = partial(paint, key=(config.seed, int(test)), size=config.view_size)
    return Dataset(torch.cat([draw(part) for part in index.split(CHUNK)]), index % len(GLYPHS), tuple(GLYPHS))


def paint(index: Tensor, *, key: tuple[int, ...], size: int) -> Tensor:
    """The images of `index` int64 [B] as uint8 [B, 3, size, size]."""
    across = LATTICE + 1
    numbers = uniform(key, index, 2 + 8 * across**2)
    copies = numbers[:, 2:].view(len(index), across**2, 8)
    place = torch.arange(size, dtype=torch.float64).add(0.5) * LATTICE / size
    y, x = place + numbers[:, 0, None], place + numbers[:, 1, None]  # [B, S] in cells from the lattice's corner
    cell = (y.long()[:, :, None] * across + x.long()[:, None, :]).flatten(1)
    copy = copies.gather(1, cell[..., None].expand(-1, -1, 8)).view(-1, size, size, 8).unbind(-1)
    x, y = (x % 1 - 0.5)[:, None, :], (y % 1 - 0.5)[:, :, None]
    ink = coverage(x, y, copy[:4], labels=index % len(GLYPHS), pixels=size / LATTICE)
    return level(ink[:, None] * tint(copy[4:]))


def coverage(x: Tensor, y: Tensor, copy: tuple[Tensor, ...], *, labels: Tensor, pixels: float) -> Tensor:
    """How much of each pixel the glyph covers, [B, S, S] in [0, 1].

    x [B, 1, S] and y [B, S, 1], downwards, are the pixels' centres from the centre of their cell, in cells of `pixels`
    each; `copy` holds four numbers [B, S, S] in [0, 1) of the copy that a pixel shows: size, place (two), tilt.
    """
    radius = 0.38 + 0.12 * copy[0]
    slack = 0.58 - radius  # a copy may cross the border of its cell a little, and is cut there
    x = x - slack * (2 * copy[1] - 1)
    y = y - slack * (2 * copy[2] - 1)
    tangent = TILT * (2 * copy[3] - 1)
    scale = radius * (1 + tangent * tangent).sqrt()
    u, v = (x + tangent * y) / scale, (y - tangent * x) / scale
    distance = torch.empty_like(u)
    for label, glyph in enumerate(GLYPHS.values()):
        rows = labels == label
        distance[rows] = glyph(u[rows], v[rows])
    return (0.5 - distance * radius * pixels).clamp(0, 1)


def tint(copy: tuple[Tensor, ...]) -> Tensor:
    """Brightness against the ground, [B, 3, S, S] in (-1, 1), by four numbers of a copy: sign, red, green, blue."""
    sign = torch.where(copy[0] < 0.5, -1.0, 1.0)
    return torch.stack([sign * (0.4 + 0.6 * size) for size in copy[1:]], 1)


def level(ink: Tensor) -> Tensor:
    """Ink [B, 3, S, S] in [-1, 1] as uint8 images with the same mean in each channel and the same contrast."""
    levels = (ink * LEVELS).round().long()
    count = ink[0, 0].numel()
    off = (levels * count - levels.sum((2, 3), keepdim=True)).double() / count  # the sums are of integers: exact
    variance = (off.round().long() ** 2).sum((1, 2, 3), keepdim=True).double() / (3 * count)
    return (128 + CONTRAST * off / variance.sqrt()).round().clamp(0, 255).to(torch.uint8)


def _box(u: Tensor, v: Tensor, length: float, width: float) -> Tensor:
    """Signed distance (outside > 0) to a box of these half sides, in the glyph's radius."""
    return torch.maximum(u.abs() - length, v.abs() - width)


def _stroke(u: Tensor, v: Tensor, along: tuple[float, float], double: bool) -> Tensor:
    """A stroke in the direction `along`, or two beside each other."""
    u, v = along[0] * u + along[1] * v, along[0] * v - along[1] * u
    return _box(u, v.abs() - 0.5, 0.9, 0.2) if double else _box(u, v, 1.0, 0.25)


def _plus(u: Tensor, v: Tensor) -> Tensor:
    return torch.minimum(_box(u, v, 0.95, 0.22), _box(v, u, 0.95, 0.22))


def _ring(u: Tensor, v: Tensor) -> Tensor:
    return ((u * u + v * v).sqrt() - 0.72).abs() - 0.2


_DIAGONAL = sqrt(0.5)
_DIRECTIONS = {
    "dash": (1.0, 0.0),
    "post": (0.0, 1.0),
    "slash": (_DIAGONAL, -_DIAGONAL),
    "backslash": (_DIAGONAL, _DIAGONAL),
}
GLYPHS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    **{name: partial(_stroke, along=along, double=False) for name, along in _DIRECTIONS.items()},
    **{f"double {name}": partial(_stroke, along=along, double=True) for name, along in _DIRECTIONS.items()},
    "plus": _plus,
    "ring": _ring,
}
