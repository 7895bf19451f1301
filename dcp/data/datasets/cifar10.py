"""CIFAR-10 (Krizhevsky, "Learning multiple layers of features from tiny images", 2009).

50,000 images of 32 x 32 pixels for pretrain and train (the same ones), 10,000 for test; 10 classes. On disk
as torchvision lays it out; the md5 of every file is that of the original (`dcp.data.downloads`).
"""

from typing import ClassVar, Literal

from pydantic import Field

from dcp.data.datasets import _cifar
from dcp.data.datasets.base import DataConfig, Dataset, Split


class Config(DataConfig):
    """Keys of CIFAR-10."""

    own_size: ClassVar[int] = 32

    source: Literal["cifar10"] = Field("cifar10", description="CIFAR-10, read from ROOT/cifar-10-batches-py")
    image_size: int | None = Field(None, ge=8, le=4096, description="side of the square views in pixels; default 32")


def load(config: Config, split: Split) -> Dataset:
    """One split in memory: uint8 [N, 3, 32, 32], 150 MB for the 50,000."""
    from torchvision.datasets import CIFAR10

    return _cifar.load(config, CIFAR10, split, "labels")
