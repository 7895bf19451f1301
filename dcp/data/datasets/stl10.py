"""STL-10 (Coates, Lee, Ng 2011): 96 x 96 pixels, made for learning from few labels.

pretrain is the 5,000 labelled and 100,000 unlabelled images together, without labels; train is the 5,000;
test has 8,000. On disk as torchvision lays it out; the md5 of every file is that of the original: 3 GB, so some
seconds.
"""

from typing import ClassVar, Literal

import torch
from pydantic import Field

from dcp.data import downloads
from dcp.data.datasets.base import DataConfig, Dataset, Split

CLASSES = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
SIDE = 96  # pixels


class Config(DataConfig):
    """Keys of STL-10."""

    own_size: ClassVar[int] = 96
    train_is_part: ClassVar[bool] = True

    source: Literal["stl10"] = Field("stl10", description="STL-10, read from ROOT/stl10_binary")
    image_size: int | None = Field(None, ge=8, le=4096, description="side of the square views in pixels; default 96")


def load(config: Config, split: Split) -> Dataset:
    """One split in memory: uint8 [N, 3, 96, 96]; pretrain takes 2.9 GB, twice that while it is read."""
    from torchvision.datasets import STL10

    part = "test" if split == "test" else "train"
    names = [f"{part}_X.bin", f"{part}_y.bin", *(["unlabeled_X.bin"] if split == "pretrain" else [])]
    original = downloads.read(config, STL10, names)
    parts = [original.content.pop(name) for name in names if "_X" in name]
    images = torch.empty(sum(map(len, parts)) // (3 * SIDE * SIDE), 3, SIDE, SIDE, dtype=torch.uint8)
    start = 0
    try:
        while parts:  # each is let go when it has been copied
            stored = torch.frombuffer(parts.pop(0), dtype=torch.uint8).view(-1, 3, SIDE, SIDE)
            images[start : (start := start + len(stored))] = stored.transpose(2, 3)  # they lie column by column
        y = torch.frombuffer(original.content[names[1]], dtype=torch.uint8).long() - 1
    except (RuntimeError, ValueError):
        raise original.place.damaged("its files do not hold images of 96 x 96 pixels") from None
    return Dataset(images) if split == "pretrain" else Dataset(images, y, CLASSES)
