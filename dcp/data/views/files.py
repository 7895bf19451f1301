"""Single decoded images, in the processes that decode them: cut to the view's size there, sent on as bytes.

Bytes are resampled as bytes, four times faster on a CPU than by way of floats. Each of the two directions
rounds once, so a value may differ by 1/255 from that of `crop`, as it does in PIL and in torchvision. Values of 16 bits
go by way of floats, and are rounded once.
"""

import torch
from torch import Tensor
from torch.nn import functional as fn

from dcp.data.layout import WHITE

_MARGIN = 0.875  # what evaluation keeps of the short side: 224 of 256
_THIN = 16  # long sides by the short one, beyond which the middle is cut out before it is resized


def crop_file(image: Tensor, box: tuple[int, int, int, int], size: int) -> Tensor:
    """A box (top, left, height, width) of an image [C, h, w], resized: [C, size, size] of its type."""
    top, left, height, width = box
    return _resize(image[None, :, top : top + height, left : left + width], size, size)[0]


def resize_center(images: Tensor, size: int) -> Tensor:
    """The middle of each image, as evaluation sees it: no chance involved.

    Images whose short side is `size` are only cropped; others are first resized, so that their short side is
    `size` / 0.875 (256 for 224). One image or a batch, uint8 or uint16 [..., C, h, w], becomes [..., C, size, size].
    Of an image whose long side is more than 16 short ones the middle 16 are resized, so that the cost is bounded.

    >>> resize_center(torch.zeros(3, 50, 80, dtype=torch.uint8), 32).shape
    torch.Size([3, 32, 32])
    """
    x = images.reshape(-1, *images.shape[-3:])
    height, width = x.shape[2:]
    short = min(height, width)
    if short != size:
        if max(height, width) > _THIN * short:
            height, width = (min(side, _THIN * short + side % 2) for side in (height, width))
            top, left = ((whole - side) // 2 for whole, side in zip(x.shape[2:], (height, width), strict=True))
            x = x[:, :, top : top + height, left : left + width]
        # as torchvision's Resize(short side) and CenterCrop: the long side rounds down, the margins to even
        target = round(size / _MARGIN)
        x = _resize(x, int(target * height / short), int(target * width / short))
    top, left = (round((side - size) / 2) for side in x.shape[2:])
    middle = x[:, :, top : top + size, left : left + size].contiguous()
    return middle.view(*images.shape[:-2], size, size)


def _resize(images: Tensor, height: int, width: int) -> Tensor:
    if images.dtype != torch.uint8:
        resized = fn.interpolate(images.float(), size=(height, width), mode="bilinear", antialias=True)
        return resized.round_().clamp_(0, WHITE[images.dtype]).to(images.dtype)
    return fn.interpolate(images, size=(height, width), mode="bilinear", antialias=True).contiguous()
