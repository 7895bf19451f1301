"""Batches: from the plan and the images to two views on the device.

Small data sets are one uint8 tensor on the device: no loader, no workers, no copies. Image files are decoded by
worker processes, once an image for both views, cropped there, and cross as uint8; colour and blur happen on the device.

The views of image i in epoch e depend on (seed, e, i) alone, and the order on (seed, e), so both ways of loading, any
number of workers or processes, and a resumed run see the same.

Shapes: B images of this process, S side of the views in pixels.
"""

import signal
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as MapDataset

from dcp.data.image_files import Files
from dcp.data.sampler import Plan
from dcp.data.views import apply, parameters
from dcp.data.views.config import Views
from dcp.data.views.files import crop_file
from dcp.errors import DcpError

Loaded: TypeAlias = tuple[Tensor, Tensor] | DcpError  # crops and image numbers, or why there are none


class Batch(NamedTuple):
    """What one step of this process sees."""

    step: int  # number of the training step, from 0
    total: int  # images of all processes
    x1: Tensor  # [B, 3, S, S] float32
    x2: Tensor  # [B, 3, S, S] float32
    images: Tensor  # [B] int64 numbers of the images, on the CPU
    waited: float = 0.0  # seconds for which training stood still until the images were decoded


class Shares:
    """The images of each step that is still to come, as a batch sampler of (epoch, image) pairs.

    Args:
        plan: order and batches.
        rank: whose share.
        start: first step.
    """

    def __init__(self, plan: Plan, rank: int, start: int) -> None:
        self.plan, self.rank, self.start = plan, rank, start

    def steps(self) -> Iterator[tuple[int, int, Tensor]]:
        """(step, images of all processes, this process's images [B]) from `start` to the end."""
        order, ordered = torch.empty(0), -1
        for step in range(self.start, self.plan.steps):
            epoch = self.plan.epoch_of(step)
            if epoch != ordered:
                order, ordered = self.plan.order(epoch), epoch
            indices = self.plan.indices(step, order)
            yield step, len(indices), self.plan.share(indices, self.rank)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for step, _, share in self.steps():
            epoch = self.plan.epoch_of(step)
            yield [(epoch, image) for image in share.tolist()]

    def __len__(self) -> int:
        return self.plan.steps - self.start


def batches(
    images: Tensor | Files,
    shares: Shares,
    config: Views,
    *,
    size: int,
    device: torch.device,
    workers: int,
) -> Iterator[Batch]:
    """Batches from the first step of `shares` to the end of the plan.

    Args:
        images: uint8 [N, 3, H, W], or image files.
        shares: which images each step sees.
        config: of the views.
        size: S.
        device: where the views go.
        workers: processes that decode files.

    Raises:
        RunError: an image file is broken.
    """
    if isinstance(images, Files):
        return _from_files(images, shares, config, size=size, device=device, workers=workers)
    return _from_memory(images.to(device), shares, config, size=size)


def _from_memory(images: Tensor, shares: Shares, config: Views, *, size: int) -> Iterator[Batch]:
    plan = shares.plan
    for step, total, share in shares.steps():
        chosen = images[share.to(images.device, non_blocking=True)]
        pair = apply.two_views(chosen, share, config, seed=plan.seed, epoch=plan.epoch_of(step), size=size)
        yield Batch(step, total, *pair, share)


class Crops(MapDataset[tuple[Tensor, Tensor] | DcpError]):
    """Two crops of an image file, made in a worker: ((2, 3, S, S) uint8, image number), or the error it gave."""

    def __init__(self, files: Files, config: Views, seed: int, size: int) -> None:
        self.files, self.config, self.seed, self.size = files, config, seed, size

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, Tensor] | DcpError:
        epoch, image = key
        try:
            pixels = self.files.decode(image)
        except DcpError as error:  # raised again by the reader: an exception that crosses processes loses its words
            return error
        index = torch.tensor([image])
        height, width = pixels.shape[1:]
        crops = []
        for view in (0, 1):
            boxes = parameters.draw_boxes(
                self.config, index, seed=self.seed, epoch=epoch, view=view, height=height, width=width
            )
            top, left, h, w = boxes[0].tolist()
            crops.append(crop_file(pixels, (top, left, h, w), self.size))
        return torch.stack(crops), index


def _collate(items: list[tuple[Tensor, Tensor] | DcpError]) -> tuple[Tensor, Tensor] | DcpError:
    pairs = []
    for item in items:
        if isinstance(item, DcpError):
            return item
        pairs.append(item)
    return torch.stack([crops for crops, _ in pairs]), torch.cat([index for _, index in pairs])


def quiet_worker(number: int) -> None:
    """A worker leaves signals to the process that reads from it, and one thread is enough for it.

    A scheduler may send SIGTERM to all processes of a job: the reader then saves a checkpoint, and closes its workers
    itself. Only the second SIGTERM, from a reader that has waited in vain, ends a worker.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: signal.signal(signal.SIGTERM, signal.SIG_DFL))
    torch.set_num_threads(1)


def _from_files(
    files: Files, shares: Shares, config: Views, *, size: int, device: torch.device, workers: int
) -> Iterator[Batch]:
    plan = shares.plan
    loader = DataLoader(
        Crops(files, config, plan.seed, size),
        batch_sampler=shares,
        num_workers=workers,
        collate_fn=_collate,
        worker_init_fn=quiet_worker,
        pin_memory=device.type == "cuda",
    )
    for (step, total, share), (loaded, waited) in zip(shares.steps(), _timed(loader), strict=True):
        if isinstance(loaded, DcpError):
            raise loaded
        crops, index = loaded
        crops = crops.to(device, non_blocking=True)
        x1, x2 = (_finished(crops[:, view], index, view, config, plan, step) for view in (0, 1))
        yield Batch(step, total, x1, x2, share, waited)


def _timed(loader: Iterable[Loaded]) -> Iterator[tuple[Loaded, float]]:
    """What the loader gives, and the seconds it took to come."""
    coming = iter(loader)
    while True:
        asked = time.perf_counter()
        try:
            loaded = next(coming)
        except StopIteration:
            return
        yield loaded, time.perf_counter() - asked


def _finished(crops: Tensor, index: Tensor, view: int, config: Views, plan: Plan, step: int) -> Tensor:
    """The view that begins with these crops, uint8 [B, 3, S, S]; the boxes have been used by the worker."""
    size = crops.shape[-1]
    drawn = parameters.draw(
        config, index, seed=plan.seed, epoch=plan.epoch_of(step), view=view, height=size, width=size
    )
    return apply.finish(crops, drawn, config)
