"""Features: what a frozen encoder makes of every image of a data set, without augmentation.

Shapes: N images, B of a batch, D features.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as MapDataset

from dcp import encoder, views
from dcp.batches import quiet_worker
from dcp.dataset import Dataset
from dcp.encoder import Encoder
from dcp.errors import DcpError
from dcp.evaluation import Features
from dcp.files import Files

BATCH = 256


@torch.no_grad()
def features(module: Encoder, data: Dataset) -> Features:
    """Features [N, D] float32 on the CPU of all images, without augmentation; label -1 where there is none."""
    device = encoder.device_of(module)
    parts = [
        module(views.normalize(pixels.to(device), module.config)).float().cpu() for pixels in _pixels(data, module.size)
    ]
    labels = torch.full((len(data),), -1) if data.labels is None else data.labels
    return Features(torch.cat(parts), labels)


def _pixels(data: Dataset, size: int) -> Iterator[Tensor]:
    """uint8 [B, 3, size, size], batch after batch, in order."""
    if isinstance(data.images, Tensor):
        for part in data.images.split(BATCH):
            yield views.resize_center(part, size)
        return
    loader = DataLoader(
        Centres(data.images, size),
        batch_size=BATCH,
        num_workers=1,
        collate_fn=_stack,
        worker_init_fn=quiet_worker,
    )
    for loaded in loader:
        if isinstance(loaded, DcpError):
            raise loaded
        yield loaded


class Centres(MapDataset[Tensor | DcpError]):
    """Image files, resized and centre-cropped, or the error that a file gave."""

    def __init__(self, files: Files, size: int) -> None:
        self.files, self.size = files, size

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> Tensor | DcpError:
        try:
            return views.resize_center(self.files.decode(i), self.size)
        except DcpError as error:
            return error


def _stack(items: list[Tensor | DcpError]) -> Tensor | DcpError:
    return next((item for item in items if isinstance(item, DcpError)), None) or torch.stack(items)  # type: ignore[arg-type]
