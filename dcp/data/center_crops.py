"""Every image of a data set as evaluation sees it: resized and centre-cropped, without augmentation.

Shapes: B images of a batch, C channels.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from dcp.data.datasets.base import Dataset
from dcp.data.image_lists import ImageList
from dcp.data.loader import worker_count
from dcp.data.readers import PROBES, Advice, decoded
from dcp.data.views.files import resize_center

BATCH = 256
SMALL = 8  # side of pixels at which nobody looks


def pixels(data: Dataset, size: int, workers: int | None = None, advice: Advice = PROBES) -> Iterator[Tensor]:
    """[B, C, size, size] of the images' type, batch after batch, in order; so many `workers` read files, or one a core.

    `advice` is what helps where one of them is lost.

    Raises:
        RunError: an image file is broken, or a process that reads them has ended or stalled.
    """
    if isinstance(data.images, Tensor):
        for part in data.images.split(BATCH):
            yield resize_center(part, size)
        return
    parts = torch.arange(len(data)).split(BATCH)
    keys = (torch.stack([torch.zeros_like(part), part], dim=1) for part in parts)
    readers, pin = min(worker_count(workers, 1), len(parts)), torch.cuda.is_available()
    yield from decoded(Centres(data.images, size), keys, most=BATCH, readers=readers, pin=pin, advice=advice)


def decodable(data: Dataset, workers: int | None = None) -> Dataset:
    """The same without the image files that cannot be decoded, where others would take their place: reads all.

    Raises:
        RunError: as `pixels`.
    """
    if not isinstance(data.images, ImageList) or not data.images.skips:
        return data
    for _ in pixels(data, SMALL, workers):
        pass
    whole = [i for i in range(len(data)) if i not in data.images.in_place]
    return data.subset(torch.tensor(whole)) if len(whole) < len(data) else data


class Centres:
    """Image files, resized and centre-cropped: [C, size, size]."""

    def __init__(self, files: ImageList, size: int) -> None:
        self.files, self.size = files, size
        self.shape, self.dtype, self.in_place = (files.layout.channels, size, size), files.layout.dtype, files.in_place

    def place(self, image: int) -> str:
        """What messages call it."""
        return self.files.place(image)

    def read(self, epoch: int, image: int) -> Tensor:
        """The middle of an image, the same in every epoch; RunError where its file is broken."""
        return resize_center(self.files.decode(image), self.size)
