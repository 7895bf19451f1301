"""STL-10 (Coates, Lee, Ng 2011): 96 x 96 pixels, made for learning from few labels.

pretrain is the 5,000 labelled and 100,000 unlabelled images together, without labels; train is the 5,000;
test has 8,000. On disk as torchvision lays it out; its reader also checks the md5 of every file: 3 GB, so
some seconds.
"""

from typing import ClassVar, Literal

import torch
from pydantic import Field

from dcp.data import downloads
from dcp.data.datasets.base import DataConfig, Dataset, Split

CLASSES = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")


class Config(DataConfig):
    """Keys of STL-10."""

    own_size: ClassVar[int] = 96
    train_is_part: ClassVar[bool] = True

    source: Literal["stl10"] = Field("stl10", description="STL-10, read from ROOT/stl10_binary")
    image_size: int | None = Field(None, ge=8, description="side of the square views in pixels; without it 96")


def load(config: Config, split: Split) -> Dataset:
    """One split in memory: uint8 [N, 3, 96, 96]; pretrain takes 2.9 GB, twice that while it is read."""
    from torchvision.datasets import STL10

    data = downloads.read(config, STL10, split="train+unlabeled" if split == "pretrain" else split)
    images = torch.from_numpy(data.data).contiguous()  # the file's images lie column by column
    if split == "pretrain":
        return Dataset(images)
    return Dataset(images, torch.as_tensor(data.labels, dtype=torch.int64), CLASSES)
