"""Batches: which images a step sees, and the crops of those that are files.

Small data sets are one uint8 tensor on the device: no loader, no workers, no copies. Image files are decoded by
`readers`, once an image for all views, cropped there, and cross as uint8. `batch_views` makes the views of either.

The views of image i in epoch e depend on (seed, e, i) alone, and the order on (seed, e), so both ways of loading, any
number of workers or processes, and a resumed run see the same.

Shapes: B images of this process, C channels, V views, S side of the views in pixels.
"""

import contextlib
import os
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from dcp.data.image_lists import ImageList
from dcp.data.readers import TRAINING, Advice, Stopped, decoded
from dcp.data.sampler import Plan
from dcp.data.views.config import Views
from dcp.data.views.crop_boxes import draw_boxes
from dcp.data.views.files import crop_file


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step of this process sees."""

    step: int  # number of the training step, from 0
    epoch: int  # that it belongs to, from 0
    batch_size: int  # images of all processes
    index: Tensor  # [B] int64 numbers of the images in the data set, on the CPU
    crops: Tensor | None = None  # of image files, see `Crops`, [B, ...] on the CPU; None where images are in memory
    waited: float = 0.0  # seconds for which training stood still until the images were decoded


@dataclass(frozen=True)
class Shares:
    """The images of each step that is still to come."""

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


def worker_count(workers: int | None, processes: int) -> int:
    """Processes that decode image files, for each that trains: as given, or one a spare core, from 1 to 8."""
    if workers is not None:
        return workers
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(8, (cores - 1) // processes))


def batches(
    images: Tensor | ImageList,
    shares: Shares,
    config: Views,
    *,
    size: int,
    pin: bool,
    workers: int,
    stopped: Stopped = lambda waited: False,
    advice: Advice = TRAINING,
) -> Generator[Batch, None, None]:
    """Batches from the first step of `shares` to the end of the plan; so many `workers` decode files.

    Crops lie in page-locked memory if asked to `pin` them, from which a GPU takes them without waiting. While they are
    waited for `stopped` is asked, given the seconds in which no image was read; batches end early when it says so.
    `advice` is what helps where a reader is lost.

    Raises:
        RunError: an image file is broken, or a process that reads them has ended or stalled.
    """
    plan = shares.plan
    if isinstance(images, Tensor):
        for step, batch_size, index in shares.steps():
            yield Batch(step, plan.epoch_of(step), batch_size, index)
        return
    keys = (torch.stack([torch.full_like(i, plan.epoch_of(step)), i], dim=1) for step, _, i in shares.steps())
    crops, most = Crops(images, config, plan.seed, size), -(-plan.batch // plan.processes)
    read = decoded(crops, keys, most=most, readers=workers, pin=pin, stopped=stopped, advice=advice)
    with contextlib.closing(read) as ready:
        for step, batch_size, index in shares.steps():
            asked = time.perf_counter()
            batch = next(ready, None)
            if batch is None:
                return
            yield Batch(step, plan.epoch_of(step), batch_size, index, batch, time.perf_counter() - asked)


class Crops:
    """A crop for each view of an image file: [V, C, S, S]; with local views the values of all, one after another."""

    def __init__(self, files: ImageList, config: Views, seed: int, size: int) -> None:
        self.files, self.seed, self.groups = files, seed, config.groups(size)
        shapes = [group.shape(files.layout.channels) for group in self.groups]
        self.shape: tuple[int, ...] = shapes[0] if len(shapes) == 1 else (sum(map(prod, shapes)),)
        self.in_place, self.dtype = files.in_place, files.layout.dtype

    def place(self, image: int) -> str:
        """What messages call it."""
        return self.files.place(image)

    def read(self, epoch: int, image: int) -> Tensor:
        """The crops of an image; RunError where its file is broken."""
        pixels = self.files.decode(image)
        index, (height, width) = torch.tensor([image]), pixels.shape[1:]
        crops = []
        for config, size, numbers in self.groups:
            for view in numbers:
                boxes = draw_boxes(config, index, seed=self.seed, epoch=epoch, view=view, height=height, width=width)
                top, left, h, w = boxes[0].tolist()
                crops.append(crop_file(pixels, (top, left, h, w), size).flatten())
        return torch.cat(crops).view(self.shape)
