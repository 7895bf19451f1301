"""What happens to each image of a batch, drawn on the CPU from (seed, epoch, image, view, operation) alone.

They are CPU tensors so that the host knows which images an operation concerns without asking the device.
Platforms whose `exp` or `sqrt` round differently may differ in a box that lies within 1e-13 of half a pixel.

Shapes: B images in the batch.
"""

from math import log
from typing import NamedTuple

import torch
from torch import Tensor

from dcp.data.views.config import Views, of_view
from dcp.data.views.counter import uniform

# Parts of the counter's key. A new operation takes a new number: the views of old recipes stay as they are.
_CROP, _FLIP, _JITTER, _GRAYSCALE, _BLUR, _SOLARIZE = range(6)
_ATTEMPTS = 10  # as torchvision: then a centred box
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
    jitter = uniform((*key, _JITTER), index, 9)
    strengths = config.jitter
    ranges = [(max(0.0, 1 - x), 1 + x) for x in (strengths.brightness, strengths.contrast, strengths.saturation)]
    ranges.append((-strengths.hue, strengths.hue))
    blur = uniform((*key, _BLUR), index, 2)
    return Parameters(
        flip=uniform((*key, _FLIP), index, 1)[:, 0] < of_view(config.flip, view),
        jitter=jitter[:, 0] < of_view(config.jitter_p, view),
        order=jitter[:, 1:5].argsort(dim=1),
        factors=torch.stack([_between(ends, jitter[:, 5 + op]) for op, ends in enumerate(ranges)], dim=1).float(),
        grayscale=uniform((*key, _GRAYSCALE), index, 1)[:, 0] < of_view(config.grayscale, view),
        blur=blur[:, 0] < of_view(config.blur.p, view),
        sigma=_between(config.blur.sigma, blur[:, 1]).float(),
        solarize=uniform((*key, _SOLARIZE), index, 1)[:, 0] < of_view(config.solarize, view),
    )


def draw_boxes(
    config: Views, index: Tensor, *, seed: int, epoch: int, view: int, height: int | Tensor, width: int | Tensor
) -> Tensor:
    """The crop boxes of one view of each image: int64 [B, 4] top, left, height, width, inside of it and not empty.

    They are drawn in memory for a whole batch, else where the file has been decoded; the sources' `height` and `width`
    are one number for all, or int64 [B]. The distribution is that of torchvision's `RandomResizedCrop.get_params`:
    the first of ten boxes of random area and ratio that fits, at a uniform place; else the largest centred box whose
    ratio is allowed.
    """
    u = uniform((seed, epoch, view, _CROP), index, 4 * _ATTEMPTS).view(-1, 4, _ATTEMPTS)
    height = torch.as_tensor(height).expand(len(index))[:, None]
    width = torch.as_tensor(width).expand(len(index))[:, None]
    area = height * width * _between(config.crop_scale, u[:, 0])
    ratio = _between((log(config.crop_ratio[0]), log(config.crop_ratio[1])), u[:, 1]).exp()
    h, w = (area / ratio).sqrt().round().long(), (area * ratio).sqrt().round().long()
    top, left = ((v * (room + 1)).floor().long() for v, room in ((u[:, 2], height - h), (u[:, 3], width - w)))
    fits = (h > 0) & (h <= height) & (w > 0) & (w <= width)
    attempt = fits.long().argmax(dim=1)  # the first of several maxima, as documented
    boxes = torch.stack((top, left, h, w), dim=2)[torch.arange(len(index)), attempt]
    # at least one pixel: torchvision rounds to zero, and then fails, at ratios beyond twice the image's side
    h = torch.minimum(height, (width / config.crop_ratio[0]).round().long().clamp_min(1))
    w = torch.minimum(width, (height * config.crop_ratio[1]).round().long().clamp_min(1))
    centred = torch.cat(((height - h) // 2, (width - w) // 2, h, w), dim=1)
    return torch.where(fits.any(dim=1, keepdim=True), boxes, centred)


def _between(ends: tuple[float, float], u: Tensor) -> Tensor:
    return ends[0] + (ends[1] - ends[0]) * u
