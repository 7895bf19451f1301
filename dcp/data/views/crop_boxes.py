"""The boxes of random crops, drawn from (seed, epoch, image, view) alone.

Platforms whose `exp` or `sqrt` round differently may differ in a box that lies within 1e-13 of half a pixel.

Shapes: B images in the batch.
"""

from collections.abc import Sequence
from math import frexp, ldexp, log

import torch
from torch import Tensor

from dcp.data.views.config import Views
from dcp.data.views.random_numbers import CROP, Column, between, uniform

ATTEMPTS = 10  # as torchvision: then a centred box


def draw_boxes(
    config: Views, index: Tensor, *, seed: int, epoch: int, view: int, height: int | Tensor, width: int | Tensor
) -> Tensor:
    """The crop boxes of one view of each image: int64 [B, 4] top, left, height, width, inside of it and not empty.

    They are drawn on the CPU: in memory for a whole batch, else where the file has been decoded; the sources' `height`
    and `width` are one number for all, or int64 [B]. The distribution is that of torchvision's
    `RandomResizedCrop.get_params`: the first of ten boxes of random area and ratio that fits, at a uniform place; else
    the largest centred box whose ratio is allowed.
    """
    u = uniform((seed, epoch, view, CROP), index, 4 * ATTEMPTS).view(-1, 4, ATTEMPTS)
    share, log_ratio = (between(ends, u[:, i]) for i, ends in enumerate(ranges(config)))
    source = torch.stack(torch.broadcast_tensors(torch.as_tensor(height), torch.as_tensor(width))).view(2, -1)
    boxes = [centre(config.crop_ratio, *sides) for sides in source.T.tolist()]
    centred = torch.tensor(boxes, dtype=torch.float64).permute(1, 2, 0).unbind()
    area = source.prod(dim=0)[:, None] * share
    start, side = first_fitting(area, log_ratio, u[:, 2:].transpose(0, 1), source[..., None].double(), centred)
    return torch.cat((start, side)).T.long().contiguous()


def columns() -> list[Column]:
    """The 40 numbers of a view: shares of the area, logarithms of ratios, places from the top, from the left."""
    return [(CROP, place) for place in range(4 * ATTEMPTS)]


def ranges(config: Views) -> tuple[tuple[float, float], tuple[float, float]]:
    """The ends of the shares of the area, and of the logarithms of ratios."""
    least, most = config.crop_ratio
    return config.crop_scale, (log(least), log(most))


def first_fitting(
    area: Tensor, log_ratio: Tensor, place: Tensor, source: Tensor, centred: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """The first of ten attempts that fits into the image: where it starts, its sides; float64 [2, ...], rows first.

    Args:
        area: float64 [..., 10], pixels.
        log_ratio: float64 [..., 10], width : height.
        place: float64 [2, ..., 10] in [0, 1), of the room beside the box.
        source: float64 [2, ..., 1], height and width of the image.
        centred: start and sides of the box where none fits, float64 [2, ...] each.
    """
    ratio = log_ratio.exp()
    sides = torch.stack((area / ratio, area * ratio)).sqrt_().round_()
    fits = ((sides > 0) & (sides <= source)).all(dim=0)
    attempt = fits.long().argmax(dim=-1, keepdim=True).expand(2, *fits.shape[:-1], 1)  # the first of several maxima
    side, place = sides.gather(-1, attempt), place.gather(-1, attempt)
    start = (place * (source - side + 1)).floor()
    found = fits.any(dim=-1)
    return torch.where(found, start[..., 0], centred[0]), torch.where(found, side[..., 0], centred[1])


def centre(ratio: tuple[float, float], height: int, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The largest centred box whose ratio, width : height, is allowed: (top, left), (height, width)."""
    least, most = (_float32(end) for end in ratio)
    # at least one pixel: torchvision rounds to zero, and then fails, at ratios beyond twice the image's side
    h = min(height, max(1, round(_float32(min(width / least, 2 * height)))))
    w = min(width, max(1, round(_float32(min(height * most, 2 * width)))))
    return ((height - h) // 2, (width - w) // 2), (h, w)


def _float32(x: float) -> float:
    """The nearest number of 24 bits: sides have always been rounded from float32, halves go by its last bit."""
    mantissa, exponent = frexp(x)
    return ldexp(round(ldexp(mantissa, 24)), exponent - 24)
