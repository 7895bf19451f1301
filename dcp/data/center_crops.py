"""Every image of a data set as evaluation sees it: resized and centre-cropped, without augmentation.

Shapes: B images of a batch.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import Dataset as MapDataset

from dcp.data.datasets.base import Dataset
from dcp.data.image_files import Files
from dcp.data.loader import Loaded, in_workers, worker_count
from dcp.data.views.files import resize_center
from dcp.errors import DcpError

BATCH = 256


def pixels(data: Dataset, size: int) -> Iterator[Tensor]:
    """uint8 [B, 3, size, size], batch after batch, in order.

    Raises:
        RunError: an image file is broken.
    """
    if isinstance(data.images, Tensor):
        for part in data.images.split(BATCH):
            yield resize_center(part, size)
        return
    centres, pin = Centres(data.images, size), torch.cuda.is_available()
    yield from in_workers(centres, worker_count(None, 1), pin=pin, batch_size=BATCH)


class Centres(MapDataset[Loaded]):
    """Image files, resized and centre-cropped, or the error that a file gave."""

    def __init__(self, files: Files, size: int) -> None:
        self.files, self.size = files, size

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> Loaded:
        try:
            return resize_center(self.files.decode(i), self.size)
        except DcpError as error:
            return error
