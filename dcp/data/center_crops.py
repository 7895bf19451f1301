"""Every image of a data set as evaluation sees it: resized and centre-cropped, without augmentation.

Shapes: B images of a batch.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as MapDataset

from dcp.data.datasets.base import Dataset
from dcp.data.image_files import Files
from dcp.data.loader import Loaded, quiet_worker, stack, worker_count
from dcp.data.views.files import resize_center
from dcp.errors import DcpError

BATCH = 256


def pixels(data: Dataset, size: int) -> Iterator[Tensor]:
    """uint8 [B, 3, size, size], batch after batch, in order.

    Args:
        data: images in memory, or files.
        size: side in pixels.

    Raises:
        RunError: an image file is broken.
    """
    if isinstance(data.images, Tensor):
        for part in data.images.split(BATCH):
            yield resize_center(part, size)
        return
    loader = DataLoader(
        Centres(data.images, size),
        batch_size=BATCH,
        num_workers=max(1, worker_count(None, 1)),
        collate_fn=stack,
        worker_init_fn=quiet_worker,
        pin_memory=torch.cuda.is_available(),
    )
    for loaded in loader:
        if isinstance(loaded, DcpError):
            raise loaded
        yield loaded


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
