"""Single decoded images, in the processes that decode them: cut to the view's size there, sent on as bytes.

Both use torchvision's own antialiased resampling of bytes, which differs from that of floats by at most 2/255.
"""

from torch import Tensor
from torchvision.transforms import functional as tv


def crop_file(image: Tensor, box: tuple[int, int, int, int], size: int) -> Tensor:
    """Cut a box out of an image, then resize it.

    Args:
        image: uint8 [3, h, w].
        box: top, left, height, width in pixels, a row of `draw_boxes(...).tolist()`.
        size: side of the result in pixels.

    Returns:
        uint8 [3, size, size].
    """
    cut: Tensor = tv.resized_crop(image, *box, size=[size, size], antialias=True)
    return cut.contiguous()


def resize_center(image: Tensor, size: int) -> Tensor:
    """The middle of an image, as evaluation sees it: no chance involved.

    An image whose short side is `size` is only cropped; any other is first resized to a short side of
    size / 0.875, the usual margin (256 for 224).

    Args:
        image: uint8 [3, h, w].
        size: side of the result in pixels.

    Returns:
        uint8 [3, size, size].

    >>> resize_center(torch.zeros(3, 50, 80, dtype=torch.uint8), 32).shape
    torch.Size([3, 32, 32])
    """
    if min(image.shape[1:]) != size:
        image = tv.resize(image, [round(size / 0.875)], antialias=True)
    middle: Tensor = tv.center_crop(image, [size, size])
    return middle.contiguous()
