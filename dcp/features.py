"""Features: what a frozen encoder makes of every image of a data set, without augmentation.

Shapes: N images, B of a batch, D features.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as MapDataset

from dcp import machine, views
from dcp.batches import quiet_worker
from dcp.dataset import Dataset
from dcp.encoder import Encoder
from dcp.errors import DcpError
from dcp.evaluation import Features
from dcp.files import Files

BATCH = 256


@torch.no_grad()
def features(encoders: Sequence[Encoder], data: Dataset, device: str) -> list[Features]:
    """What each encoder makes of every image, read once for all of them; label -1 where there is none.

    Args:
        encoders: of the same preprocessing.
        data: N images.
        device: where the encoders run and where the features [N, D] float32 stay.
    """
    moved = [module.to(device=device, memory_format=torch.channels_last) for module in encoders]  # type: ignore[call-overload]
    parts: list[list[Tensor]] = [[] for _ in encoders]
    for pixels in _pixels(data, encoders[0].size):
        x = views.normalize(pixels.to(device, non_blocking=True), encoders[0].config)
        for module, part in zip(moved, parts, strict=True):
            part.append(module(x).float())
    labels = torch.full((len(data),), -1) if data.labels is None else data.labels
    return [Features(torch.cat(part), labels) for part in parts]


def _pixels(data: Dataset, size: int) -> Iterator[Tensor]:
    """uint8 [B, 3, size, size], batch after batch, in order."""
    if isinstance(data.images, Tensor):
        for part in data.images.split(BATCH):
            yield views.resize_center(part, size)
        return
    loader = DataLoader(
        Centres(data.images, size),
        batch_size=BATCH,
        num_workers=max(1, machine.decoders(None, 1)),
        collate_fn=_stack,
        worker_init_fn=quiet_worker,
        pin_memory=torch.cuda.is_available(),
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
