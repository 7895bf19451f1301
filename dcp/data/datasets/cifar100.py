"""CIFAR-100 (Krizhevsky, "Learning multiple layers of features from tiny images", 2009).

As CIFAR-10, but of 100 classes.
"""

from typing import ClassVar, Literal

from pydantic import Field

from dcp.data.datasets import _cifar
from dcp.data.datasets.base import DataConfig, Dataset, Split


class Config(DataConfig):
    """Keys of CIFAR-100."""

    own_size: ClassVar[int] = 32

    source: Literal["cifar100"] = Field("cifar100", description="CIFAR-100, read from ROOT/cifar-100-python")
    image_size: int | None = Field(None, ge=8, le=4096, description="side of the square views in pixels; default 32")


def load(config: Config, split: Split) -> Dataset:
    """One split in memory: uint8 [N, 3, 32, 32]."""
    from torchvision.datasets import CIFAR100

    return _cifar.load(config, CIFAR100, split, "fine_labels")
