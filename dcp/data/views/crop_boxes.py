"""The boxes of random crops, drawn on the CPU from (seed, epoch, image, view) alone.

Platforms whose `exp` or `sqrt` round differently may differ in a box that lies within 1e-13 of half a pixel.

Shapes: B images in the batch.
"""

from math import log

import torch
from torch import Tensor

from dcp.data.views.config import Views
from dcp.data.views.random_numbers import CROP, between, uniform

_ATTEMPTS = 10  # as torchvision: then a centred box


def draw_boxes(
    config: Views, index: Tensor, *, seed: int, epoch: int, view: int, height: int | Tensor, width: int | Tensor
) -> Tensor:
    """The crop boxes of one view of each image: int64 [B, 4] top, left, height, width, inside of it and not empty.

    They are drawn in memory for a whole batch, else where the file has been decoded; the sources' `height` and `width`
    are one number for all, or int64 [B]. The distribution is that of torchvision's `RandomResizedCrop.get_params`:
    the first of ten boxes of random area and ratio that fits, at a uniform place; else the largest centred box whose
    ratio is allowed.
    """
    u = uniform((seed, epoch, view, CROP), index, 4 * _ATTEMPTS).view(-1, 4, _ATTEMPTS)
    height = torch.as_tensor(height).expand(len(index))[:, None]
    width = torch.as_tensor(width).expand(len(index))[:, None]
    area = height * width * between(config.crop_scale, u[:, 0])
    ratio = between((log(config.crop_ratio[0]), log(config.crop_ratio[1])), u[:, 1]).exp()
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
