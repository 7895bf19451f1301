"""Crop and resize with antialiasing, the whole batch at once: Wy @ image @ Wxᵀ.

Row i of a weight matrix is a triangle over source pixels, centred where output pixel i falls, as wide as the
resize shrinks (at least one pixel to either side), and normalised over the box. That is torchvision's
`resized_crop(..., antialias=True)`: crop first, then filter, so that no pixel outside of the box is ever
seen. A horizontal flip is Wx upside down.

Shapes: B images of C channels, source H x W, view S x S.
"""

import torch
from torch import Tensor
from torch.nn import functional as fn

from dcp.data.layout import WHITE

# Side of source or view up to which a CPU does the products, in floats; beyond, torch's own resampling of bytes,
# image by image. One core, µs a view: 12 against 25 at 32 px, 200 against 55 at 96, 2,600 against 170 at 224.
_PRODUCTS_UP_TO = 64


def crop(images: Tensor, box: Tensor, flip: Tensor, size: int) -> Tensor:
    """Cut a box out of each image, resize it to float32 [B, C, size, size] in [0, 1], and mirror those with `flip`.

    Args:
        images: uint8 or uint16 [B, C, H, W].
        box: int64 [B, 4] on the CPU: top, left, height, width, inside of the image.
        flip: bool [B] on the CPU.
        size: pixels.
    """
    if images.is_cpu and max(*images.shape[2:], size) > _PRODUCTS_UP_TO:
        return by_resampling(images, box, flip, size)
    return by_products(images, box, flip, size)


def by_products(images: Tensor, box: Tensor, flip: Tensor, size: int) -> Tensor:
    """`crop` as two batched matrix products: for small images, and for accelerators."""
    batch, channels, height, width = images.shape
    box = box.to(torch.float32).to(images.device, non_blocking=True)
    mirrored = flip.to(images.device, non_blocking=True)
    rows = weights(box[:, 0], box[:, 2], torch.zeros_like(mirrored), height, size)
    columns = weights(box[:, 1], box[:, 3], mirrored, width, size)
    x = images.to(torch.float32, memory_format=torch.contiguous_format).view(batch, channels * height, width)
    x = torch.bmm(x, columns.transpose(1, 2)).view(batch * channels, height, size)
    x = torch.bmm(rows.repeat_interleave(channels, dim=0), x).view(batch, channels, size, size)
    return x.div_(WHITE[images.dtype]).clamp_(max=1)  # normalised weights add up to 1 only within a rounding


def by_resampling(images: Tensor, box: Tensor, flip: Tensor, size: int) -> Tensor:
    """`crop` by torch's own antialiased resampling, one image at a time: for large images on a CPU.

    Bytes stay bytes, as in PIL: three times as fast as floats where the colours of a pixel lie side by side, and each
    of the two directions rounds once, so that a value may be off by 1/255. Those of 16 bits go by way of floats.
    """
    x, white = torch.empty(len(images), images.shape[1], size, size, device=images.device), WHITE[images.dtype]
    images = images.contiguous(memory_format=torch.channels_last)
    for b, ((top, left, height, width), flipped) in enumerate(zip(box.tolist(), flip.tolist(), strict=True)):
        cut = images[b : b + 1, :, top : top + height, left : left + width]
        cut = fn.interpolate(
            cut if white == WHITE[torch.uint8] else cut.float(), size=(size, size), mode="bilinear", antialias=True
        )
        x[b] = (cut.flip(3) if flipped else cut)[0]
    return x.div_(white)


def weights(start: Tensor, length: Tensor, mirrored: Tensor, source: int, size: int) -> Tensor:
    """Matrices [B, size, source] that resample pixels start..start + length, float32 [B] each, of `source` to `size`.

    Rows are not negative, add up to 1, and are zero outside of the box; where `mirrored` [B], they stand upside down.
    """
    output = torch.arange(size, dtype=torch.float32, device=start.device)
    output = torch.where(mirrored[:, None], size - 1 - output, output)  # [B, size]
    scale = (length / size)[:, None]
    centre = scale * (output + 0.5)  # measured from the box: small numbers, exact where scale is 1
    pixel = torch.arange(source, dtype=torch.float32, device=start.device) + 0.5 - start[:, None]  # [B, source]
    distance = (pixel[:, None, :] - centre[:, :, None]).abs_() / scale.clamp_min(1)[:, :, None]
    inside = ((pixel > 0) & (pixel < length[:, None])).float()
    triangle = (1 - distance).clamp_(min=0).mul_(inside[:, None, :])
    return triangle.div_(triangle.sum(dim=2, keepdim=True))


def mirror(x: Tensor, flip: Tensor) -> Tensor:
    """Mirror left and right, in place, the images for which `flip` (bool [B], on the CPU) is true."""
    rows = flip.nonzero()[:, 0].to(x.device, non_blocking=True)
    return x.index_copy_(0, rows, x.index_select(0, rows).flip(3)) if len(rows) else x
