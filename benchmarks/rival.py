"""What those that dcp is measured beside are given: its images, its network, and how they start their workers."""

import copy
import multiprocessing
from itertools import cycle, islice
from typing import Any

import torch
from torch import Tensor, nn

from dcp.training.trainer import Trainer

PREFETCHED = 2  # batches that each worker has ready, torch's default
HIDDEN, OUT, TAU = 512, 128, 0.996
RATE, MOMENTUM, DECAY = 0.03, 0.9, 4e-4
# how a user's loader starts workers: a spawned process, as a benchmark is, would spawn its own, which import torch anew
START = multiprocessing.get_all_start_methods()[0]


def backbone(training: Trainer) -> nn.Module:
    """A copy of the run's in torch's default memory format."""
    plain: nn.Module = copy.deepcopy(training.parts.method.online.backbone)
    plain = plain.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return plain


def off_the_clock(training: Trainer, workers: int) -> int:
    """Steps before the clock starts: one, which warms up; on a GPU so many more as batches lie ready by then.

    There the workers may be what limits, and what they made beforehand is no rate that they could keep.
    """
    return 1 + (PREFETCHED * workers if training.process.device.type == "cuda" else 0)


def pictures(training: Trainer, more: int) -> list[Any]:
    """The run's images as PIL's, and so many batches more of them."""
    from torchvision.transforms.functional import to_pil_image

    pixels = training.data.images
    assert isinstance(pixels, Tensor)
    made = [to_pil_image(x) for x in pixels]
    return [*made, *islice(cycle(made), more * training.recipe.train.batch)]


def loader(data: torch.utils.data.Dataset[Any], batch: int, workers: int) -> torch.utils.data.DataLoader[Any]:
    """Whole batches in random order, made by workers that start as a user's do."""
    return torch.utils.data.DataLoader(
        data,
        batch_size=batch,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        prefetch_factor=PREFETCHED,
        pin_memory=torch.cuda.is_available(),
        multiprocessing_context=START,
    )
