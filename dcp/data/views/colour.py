"""Colour operations on a batch, in torchvision's meaning: jitter, grayscale, solarize.

Brightness, contrast and saturation have one form, y = clamp(a x + b gray(x) + c mean(gray(x))), so that the
images of a batch take their own random order of operations in four common passes:

    brightness (a, b, c) = (f, 0, 0)    contrast (f, 0, 1 - f)    saturation (f, 1 - f, 0)    else (1, 0, 0)

Hue is not of that form: the batch is sorted so that the images that have it in the same pass are neighbours.
On CPUs torch compares into booleans, and selects by them, some ten times slower than it multiplies; so masks
here are floats, and a selection is a `lerp`, which is exact at 0 and 1.

Grey images of one channel have brightness and contrast alone: their luma is what they are.

Shapes: B images, view S x S; x is float32 [B, 3, S, S] in [0, 1]. The public functions work in place and
return x; images that an operation does not concern keep their bits.
"""

import torch
from torch import Tensor

from dcp.data.views.parameters import CONTRAST, HUE, SATURATION

_RED, _GREEN, _BLUE = LUMA = (0.2989, 0.587, 0.114)  # ITU-R 601-2 luma to torchvision's digits
_NO_PASS = 4


def hue_pass(apply: Tensor, order: Tensor) -> Tensor:
    """In which of the passes 0..3 each image's hue is turned; 4 for images without jitter. CPU, int64 [B]."""
    return torch.where(apply, (order == HUE).long().argmax(dim=1), _NO_PASS)


def jitter(x: Tensor, apply: Tensor, order: Tensor, factors: Tensor) -> Tensor:
    """Brightness, contrast, saturation and hue, in each image's own order.

    Args:
        x: the batch, sorted by `hue_pass`.
        apply: bool [B] on the CPU: the images concerned.
        order: int64 [B, 4] on the CPU, permutations of 0..3.
        factors: float32 [B, 4] on the CPU, see `Parameters`.
    """
    passes = hue_pass(apply, order)
    assert (passes.diff() >= 0).all(), "the batch must be sorted by hue_pass"
    bounds = torch.searchsorted(passes, torch.arange(_NO_PASS + 1)).tolist()
    count = bounds[_NO_PASS]
    if count == 0:
        return x
    coefficients = _coefficients(order[:count], factors[:count]).to(x.device, non_blocking=True)
    sixths = (6 * factors[:, HUE]).to(x.device, non_blocking=True)[:, None, None]
    turns = bool(factors[:, HUE].any())
    for position in range(4):
        _blend(x[:count], *coefficients[position])
        start, stop = bounds[position : position + 2]
        if turns and start < stop:
            _turn(x[start:stop], sixths[start:stop])
    return x


def _coefficients(order: Tensor, factors: Tensor) -> Tensor:
    """Factors a, b, c of the common form: [4 passes, 3, B, 1, 1]."""
    f = factors.gather(1, order).T
    op = order.T
    a = torch.where(op == HUE, 1.0, f)
    b = (op == SATURATION) * (1 - f)
    c = (op == CONTRAST) * (1 - f)
    return torch.stack((a, b, c), dim=1)[..., None, None]


def _blend(x: Tensor, a: Tensor, b: Tensor, c: Tensor) -> None:
    # planes instead of a 3 x 3 product: as fast, and a trainer's choice of TF32 products can't blur it
    grays = gray(x)
    mean = grays.mean(dim=(1, 2), keepdim=True)
    grays.mul_(b).add_(mean.mul_(c))
    x.mul_(a[:, None]).add_(grays[:, None]).clamp_(0, 1)


def gray(x: Tensor) -> Tensor:
    """Luma of [B, 3, S, S], or what grey images [B, 1, S, S] are: [B, S, S]."""
    if x.shape[1] == 1:
        return x[:, 0].clone()
    red, green, blue = x.unbind(1)
    return (red * _RED).add_(green, alpha=_GREEN).add_(blue, alpha=_BLUE)


def grayscale(x: Tensor, apply: Tensor) -> Tensor:
    """Replace the colours of the images with `apply` (bool [B], on the CPU) by their luma."""
    rows = apply.nonzero()[:, 0].to(x.device, non_blocking=True)
    if len(rows) == 0:
        return x
    return x.index_copy_(0, rows, gray(x.index_select(0, rows))[:, None].expand(-1, 3, -1, -1))


def solarize(x: Tensor, apply: Tensor, threshold: float) -> Tensor:
    """Invert the pixels from `threshold` up, in the images with `apply` (bool [B], on the CPU)."""
    rows = apply.nonzero()[:, 0].to(x.device, non_blocking=True)
    if len(rows) == 0:
        return x
    y = x.index_select(0, rows)
    bright = torch.ge(y, threshold, out=torch.empty_like(y))
    return x.index_copy_(0, rows, y.lerp_(1 - y, bright))


def _turn(x: Tensor, sixths: Tensor) -> None:
    """Turn hues by sixths of the colour circle, without the round trip through saturation and value.

    The largest and the smallest value of a pixel stay. A channel's new value follows from the new angle h in
    [0, 6) alone: least + (most - least) * t(h), where t is a trapezium around the channel's own angle.
    """
    red, green, blue = x.unbind(1)
    most = torch.maximum(torch.maximum(red, green), blue)
    least = torch.minimum(torch.minimum(red, green), blue)
    spread = most - least
    # the angle times the spread, in sixths of the circle from red
    at_red, at_green, at_blue = green - blue, blue - red, red - green
    at_green.add_(spread, alpha=2)
    at_blue.add_(spread, alpha=4)
    reddest = torch.eq(red, most, out=torch.empty_like(most))
    greenest = torch.eq(green, most, out=torch.empty_like(most))
    angle = at_blue.lerp_(at_green, greenest).lerp_(at_red, reddest)
    h = angle.div_(spread.clamp_min(1e-20)).add_(sixths)  # where spread is 0 so is its product, and any h will do
    h.sub_((h * (1 / 6)).floor_(), alpha=6)
    shares = ((h - 3).abs_().sub_(1), 2 - (h - 2).abs_(), 2 - (h - 4).abs_())
    for channel, share in zip((red, green, blue), shares, strict=True):
        torch.addcmul(least, share.clamp_(0, 1), spread, out=channel)
