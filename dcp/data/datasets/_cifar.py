"""What CIFAR-10 and CIFAR-100 share: batches of 32 x 32 pixels that are pickled, and how they are read."""

from typing import TYPE_CHECKING

import numpy as np
import torch

from dcp.data import downloads
from dcp.data.datasets.base import DataConfig, Dataset, Split

if TYPE_CHECKING:  # importing torchvision takes seconds, and reading a recipe needs the Config only
    from torchvision.datasets import CIFAR10


def load(config: DataConfig, kind: "type[CIFAR10]", split: Split, labels: str) -> Dataset:
    """One split in memory: uint8 [N, 3, 32, 32], 150 MB for the 50,000; `labels` is what a batch calls them.

    Raises:
        RequestError: as `downloads.read`.
    """
    batches = [name for name, _ in (kind.test_list if split == "test" else kind.train_list)]
    meta = kind.meta["filename"]
    original = downloads.read(config, kind, [*batches, meta], {meta: kind.meta["md5"]})
    try:
        read = [original.unpickled(name) for name in batches]
        images = np.concatenate([batch["data"].values for batch in read]).reshape(-1, 3, 32, 32)
        y = torch.tensor([label for batch in read for label in batch[labels]], dtype=torch.int64)
        classes = tuple(map(str, original.unpickled(meta)[kind.meta["key"]]))
    except (KeyError, TypeError, AttributeError, ValueError):
        raise original.place.damaged("its files do not hold images, labels and names of classes") from None
    return Dataset(torch.from_numpy(images), y, classes)
