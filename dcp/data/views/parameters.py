"""What happens to each image of a batch, drawn from (seed, epoch, image, view, operation) alone.

`draw` gives CPU tensors, so that the host knows which images an operation concerns without asking the device.

Shapes: B images in the batch.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from dcp.data.views.config import Views, of_view
from dcp.data.views.random_numbers import (
    BLUR,
    FLIP,
    GRAYSCALE,
    JITTER,
    SOLARIZE,
    Column,
    between,
    keys,
    numbers,
    steps,
)

BRIGHTNESS, CONTRAST, SATURATION, HUE = OPERATIONS = range(4)


class Parameters(NamedTuple):
    """What follows the crop in one view of each image; every field is a CPU tensor of B rows."""

    flip: Tensor  # bool [B]
    jitter: Tensor  # bool [B]: whether the next two apply
    order: Tensor  # int64 [B, 4]: the operations BRIGHTNESS..HUE in the order in which they are applied
    factors: Tensor  # float32 [B, 4]: of brightness, contrast, saturation; of hue the shift in turns
    grayscale: Tensor  # bool [B]
    blur: Tensor  # bool [B]: whether the next applies
    sigma: Tensor  # float32 [B], pixels of the view
    solarize: Tensor  # bool [B]

    def select(self, rows: Tensor) -> "Parameters":
        """The parameters of some of the images: int64 [b], rows of the batch."""
        return Parameters(*(field.index_select(0, rows) for field in self))


def draw(config: Views, index: Tensor, *, seed: int, epoch: int, view: int) -> Parameters:
    """Everything but the crop of one view, from 0, of each image; `index` int64 [B], on the CPU."""
    drawn = columns()
    u = numbers(torch.tensor(keys(seed, epoch, view, drawn)), index[:, None], steps(drawn))
    chance, rank, strength = u.tensor_split((5, 9), dim=1)
    flip, jitter, grayscale, blur, solarize = (
        chance < torch.tensor(chances(config, view), dtype=torch.float64)
    ).unbind(dim=1)
    low, high = torch.tensor(ranges(config), dtype=torch.float64).T
    factors, sigma = between((low, high), strength).float().tensor_split((4,), dim=1)
    return Parameters(flip, jitter, rank.argsort(dim=1), factors, grayscale, blur, sigma[:, 0], solarize)


def columns(operations: Sequence[int] = OPERATIONS) -> list[Column]:
    """The numbers of a view.

    First five that are compared with `chances`; one for each of the colour operations, which are applied in
    the order of these; and those that become what lies between the ends of `ranges`.
    """
    first = [(operation, 0) for operation in (FLIP, JITTER, GRAYSCALE, BLUR, SOLARIZE)]
    order = [(JITTER, 1 + op) for op in operations]
    return [*first, *order, *((JITTER, 5 + op) for op in operations), (BLUR, 1)]


def chances(config: Views, view: int) -> list[float]:
    """The probabilities of flip, jitter, grayscale, blur, solarize."""
    pairs = (config.flip, config.jitter_p, config.grayscale, config.blur.p, config.solarize)
    return [of_view(pair, view) for pair in pairs]


def ranges(config: Views, operations: Sequence[int] = OPERATIONS) -> list[tuple[float, float]]:
    """The ends between which the factors of the colour operations lie, and the blur's deviation."""
    strengths = config.jitter
    factors = [(max(0.0, 1 - x), 1 + x) for x in (strengths.brightness, strengths.contrast, strengths.saturation)]
    factors.append((-strengths.hue, strengths.hue))
    return [*(factors[op] for op in operations), config.blur.sigma]
