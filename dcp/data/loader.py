"""Batches: which images a step sees, and the crops of those that are files.

Small data sets are one uint8 tensor on the device: no loader, no workers, no copies. Image files are decoded by worker
processes, once an image for both views, cropped there, and cross as uint8. `pairs` makes the views of either.

The views of image i in epoch e depend on (seed, e, i) alone, and the order on (seed, e), so both ways of loading, any
number of workers or processes, and a resumed run see the same.

Shapes: B images of this process, S side of the views in pixels.
"""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as MapDataset

from dcp.data.image_files import Files
from dcp.data.sampler import Plan
from dcp.data.views.config import Views
from dcp.data.views.crop_boxes import draw_boxes
from dcp.data.views.files import crop_file
from dcp.errors import DcpError

Loaded: TypeAlias = Tensor | DcpError  # uint8 pixels, or why there are none


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step of this process sees."""

    step: int  # number of the training step, from 0
    epoch: int  # that it belongs to, from 0
    batch_size: int  # images of all processes
    index: Tensor  # [B] int64 numbers of the images in the data set, on the CPU
    crops: Tensor | None = None  # uint8 [B, 2, 3, S, S] of image files, on the CPU; None where images are in memory
    waited: float = 0.0  # seconds for which training stood still until the images were decoded


@dataclass(frozen=True)
class Shares:
    """The images of each step that is still to come, as a batch sampler of (epoch, image) pairs."""

    plan: Plan
    rank: int  # the process whose share it is
    start: int  # step to begin with

    def steps(self) -> Iterator[tuple[int, int, Tensor]]:
        """(step, images of all processes, index [B] of this process's images) from `start` to the end."""
        order, ordered = torch.empty(0), -1
        for step in range(self.start, self.plan.steps):
            epoch = self.plan.epoch_of(step)
            if epoch != ordered:
                order, ordered = self.plan.order(epoch), epoch
            index = self.plan.indices(step, order)
            yield step, len(index), self.plan.share(index, self.rank)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for step, _, share in self.steps():
            epoch = self.plan.epoch_of(step)
            yield [(epoch, image) for image in share.tolist()]

    def __len__(self) -> int:
        return self.plan.steps - self.start


def worker_count(workers: int | None, processes: int) -> int:
    """Processes that decode image files, for each that trains: as given, or one a spare core, from 1 to 8."""
    if workers is not None:
        return workers
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(8, (cores - 1) // processes))


def batches(
    images: Tensor | Files, shares: Shares, config: Views, *, size: int, pin: bool, workers: int
) -> Iterator[Batch]:
    """Batches from the first step of `shares` to the end of the plan; so many `workers` decode files.

    Crops lie in page-locked memory if asked to `pin` them, from which a GPU takes them without waiting.

    Raises:
        RunError: an image file is broken.
    """
    plan = shares.plan
    if isinstance(images, Tensor):
        for step, batch_size, index in shares.steps():
            yield Batch(step, plan.epoch_of(step), batch_size, index)
        return
    decoded = in_workers(Crops(images, config, plan.seed, size), workers, pin=pin, batch_sampler=shares)
    for step, batch_size, index in shares.steps():
        asked = time.perf_counter()
        crops = next(decoded)
        yield Batch(step, plan.epoch_of(step), batch_size, index, crops, time.perf_counter() - asked)


class Crops(MapDataset[Loaded]):
    """Two crops of an image file, made in a worker: uint8 [2, 3, S, S], or the error that the file gave."""

    def __init__(self, files: Files, config: Views, seed: int, size: int) -> None:
        self.files, self.config, self.seed, self.size = files, config, seed, size

    def __getitem__(self, key: tuple[int, int]) -> Loaded:
        epoch, image = key
        try:
            pixels = self.files.decode(image)
        except DcpError as error:  # raised again by the reader: an exception that crosses processes loses its words
            return error
        index, (height, width) = torch.tensor([image]), pixels.shape[1:]
        crops = []
        for view in (0, 1):
            boxes = draw_boxes(self.config, index, seed=self.seed, epoch=epoch, view=view, height=height, width=width)
            top, left, h, w = boxes[0].tolist()
            crops.append(crop_file(pixels, (top, left, h, w), self.size))
        return torch.stack(crops)


def in_workers(images: MapDataset[Loaded], workers: int, *, pin: bool, **order: Any) -> Iterator[Tensor]:
    """Batches that workers, started at once, make of `images` in the `order` of a DataLoader; raises their errors."""
    loader = DataLoader(images, num_workers=workers, collate_fn=_stack, worker_init_fn=_quiet, pin_memory=pin, **order)
    return map(_raised, loader)


def _stack(items: list[Loaded]) -> Loaded:
    """A worker's tensors as one, or the first error among them."""
    errors = [item for item in items if isinstance(item, DcpError)]
    return errors[0] if errors else torch.stack([item for item in items if isinstance(item, Tensor)])


def _raised(loaded: Loaded) -> Tensor:
    if isinstance(loaded, Tensor):
        return loaded
    try:
        raise loaded
    finally:
        del loaded  # an error that its own traceback refers to would keep the workers until a garbage collection


def _quiet(number: int) -> None:
    """A worker leaves signals to the process that reads from it, and one thread is enough for it.

    A scheduler may send SIGTERM to all processes of a job: the reader then saves a checkpoint, and closes its workers
    itself. Only the second SIGTERM, from a reader that has waited in vain, ends a worker.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: signal.signal(signal.SIGTERM, signal.SIG_DFL))
    torch.set_num_threads(1)
