"""What happens to each image of a batch, drawn on the CPU from (seed, epoch, image, view, operation) alone.

They are CPU tensors so that the host knows which images an operation concerns without asking the device.

Shapes: B images in the batch.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from dcp.data.views.config import Views, of_view
from dcp.data.views.random_numbers import BLUR, FLIP, GRAYSCALE, JITTER, SOLARIZE, between, uniform

BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)


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
    """Everything but the crop of one view (0 or 1) of each image; `index` int64 [B] on the CPU, as for `two_views`."""
    key = (seed, epoch, view)
    jitter = uniform((*key, JITTER), index, 9)
    strengths = config.jitter
    ranges = [(max(0.0, 1 - x), 1 + x) for x in (strengths.brightness, strengths.contrast, strengths.saturation)]
    ranges.append((-strengths.hue, strengths.hue))
    blur = uniform((*key, BLUR), index, 2)
    return Parameters(
        flip=uniform((*key, FLIP), index, 1)[:, 0] < of_view(config.flip, view),
        jitter=jitter[:, 0] < of_view(config.jitter_p, view),
        order=jitter[:, 1:5].argsort(dim=1),
        factors=torch.stack([between(ends, jitter[:, 5 + op]) for op, ends in enumerate(ranges)], dim=1).float(),
        grayscale=uniform((*key, GRAYSCALE), index, 1)[:, 0] < of_view(config.grayscale, view),
        blur=blur[:, 0] < of_view(config.blur.p, view),
        sigma=between(config.blur.sigma, blur[:, 1]).float(),
        solarize=uniform((*key, SOLARIZE), index, 1)[:, 0] < of_view(config.solarize, view),
    )
