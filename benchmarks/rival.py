"""What those that dcp is measured beside are given: its images, its network, and how they start their workers."""

import copy
import multiprocessing
from typing import Any

import torch
from torch import Tensor, nn

from dcp.data.datasets.base import load
from dcp.training.trainer import Trainer

HIDDEN, OUT, TAU = 512, 128, 0.996
RATE, MOMENTUM, DECAY = 0.03, 0.9, 4e-4
# how a user's loader starts workers: a spawned process, as a benchmark is, would spawn its own, which import torch anew
START = multiprocessing.get_all_start_methods()[0]


def backbone(training: Trainer) -> nn.Module:
    """A copy of the run's in torch's default memory format."""
    plain: nn.Module = copy.deepcopy(training.parts.method.online.backbone)
    plain = plain.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return plain


def pictures(training: Trainer) -> list[Any]:
    """The run's images as PIL's, with one batch more for the step that is off the clock."""
    from torchvision.transforms.functional import to_pil_image

    pixels = load(training.recipe.data, "pretrain").images
    assert isinstance(pixels, Tensor)
    return [to_pil_image(x) for x in torch.cat([pixels, pixels[: training.recipe.train.batch]])]


def loader(data: torch.utils.data.Dataset[Any], batch: int, workers: int) -> torch.utils.data.DataLoader[Any]:
    """Whole batches in random order, made by workers that start as a user's do."""
    return torch.utils.data.DataLoader(
        data,
        batch_size=batch,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        multiprocessing_context=START,
    )
