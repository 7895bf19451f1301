"""Crop, colours and blur of a batch as masked passes: static shapes, and no question to the host.

Images that an operation does not concern take part in it with coefficients that change nothing. Colours are planes,
x float32 [C, N, P] with channels outermost: each is one piece of memory, and luma a matrix-vector product, for which
there is no TF32. (The products of crop and blur are float32 too, unless someone has allowed TF32.) On a GPU the launch
of a kernel costs at small sizes, a pass over memory at large ones: so operations are few, and where the next one wants
another order of the dimensions, the last writes it (`contiguous`).

Shapes: B images of C channels, source H x W; N = V B views of S x S = P pixels, the V of an image side by side.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from dcp.data.layout import WHITE
from dcp.data.views.blur import gaussian, toeplitz
from dcp.data.views.colour import LUMA
from dcp.data.views.parameters import CONTRAST, HUE, SATURATION


class Crop:
    """Crop, resize, mirror: `crop.by_products` of all views of each image in two products."""

    def __init__(self, size: int, device: torch.device) -> None:
        self.size = size
        output = torch.arange(size, dtype=torch.float32, device=device) - (size - 1) / 2  # from the middle of the view
        self.output, self.mirrored = output, output.flip(0)
        self.columns = torch.tensor([False, True], device=device).view(2, 1, 1)  # a mirror turns these, not the rows

    def __call__(self, images: Tensor, start: Tensor, side: Tensor, flip: Tensor | None) -> Tensor:
        """The views: [C, N, P] in [0, 1], to a rounding.

        Args:
            images: uint8 or uint16 [B, C, H, W].
            start: float32 [2, B, V], where the views' boxes begin: rows, then columns; pixels.
            side: float32 [2, B, V], height and width of the boxes.
            flip: bool [B, V], or None where no view is mirrored.
        """
        size, n = self.size, start.shape[1] * start.shape[2]
        batch, channels, height, width = images.shape
        source = max(height, width)
        triangles = self._triangles(start, side, flip, source)
        rows = triangles[0].view(batch, start.shape[2] * size, source)[..., :height]
        columns = triangles[1].view(n, size, source)[..., :width]
        x = images.permute(0, 2, 1, 3).to(torch.float32, memory_format=torch.contiguous_format)
        x = torch.bmm(rows, x.view(batch, height, channels * width))
        x = torch.bmm(x.view(n, size * channels, width), columns.transpose(1, 2))
        row, column = triangles.sum(dim=-1).view(2, n, size)
        x = by_channels(x.view(n, size, channels, size))
        total = (WHITE[images.dtype] * row)[:, :, None] * column[:, None, :]
        return contiguous(torch.div, x, total).view(channels, n, size * size)

    def _triangles(self, start: Tensor, side: Tensor, flip: Tensor | None, source: int) -> Tensor:
        """`crop.weights` of rows and of columns, before they are normalised: [2, B, V, S, source]."""
        scale, half = side / self.size, side / 2
        output = self.output
        if flip is not None:
            output = torch.where((self.columns & flip)[..., None], self.mirrored, output)
        # both in units of the triangle's half width, from the middle of the box
        centre = output * scale.clamp_max(1)[..., None]
        pixel = torch.arange(0.5, source, dtype=torch.float32, device=side.device) - (start + half)[..., None]
        outside = pixel.abs() >= half[..., None]
        pixel = pixel.div_(scale.clamp_min(1)[..., None]).masked_fill_(outside, torch.inf)
        distance = (pixel[..., None, :] - centre[..., None]).abs_()
        return (1 - distance).clamp_(min=0)


class Jitter:
    """Brightness, contrast, saturation and hue in each image's own order, in common passes: blends, a turn, blends.

    The blends are `colour.jitter`'s common form, (a, b, c) = (1, 0, 0) for none. There are as many before the turn of
    the hue as there are such operations, and as many after it: an image whose hue is the first of four takes none of
    the former and all of the latter.
    """

    def __init__(self, operations: Sequence[int], device: torch.device, channels: int = 3) -> None:
        """The `operations` are those of BRIGHTNESS..HUE with a strength, in this order; one channel has but two."""
        self.hue = HUE in operations
        self.blends = [op for op in operations if op != HUE]
        passes = len(self.blends) * (2 if self.hue else 1)
        self.passes = torch.arange(passes, device=device)[:, None]
        self.luma = torch.tensor(LUMA if channels == 3 else (1.0,), device=device)
        self.across = torch.tensor([-1.0, 1.0, 1.0], device=device)
        # how far a channel lies below the largest, as a share of the spread: for a sixth of the colour circle it falls
        # with the distance from red's opposite, or grows with that from green or blue; elsewhere it is 0 or 1
        self.angles = torch.tensor([3.0, 2.0, 4.0], device=device).div_(6).view(3, 1, 1)
        self.slopes = torch.tensor([-6.0, 6.0, 6.0], device=device).view(3, 1, 1)
        self.offsets = torch.tensor([2.0, -1.0, -1.0], device=device).view(3, 1, 1)
        self.sixth = torch.full((1,), 1 / 6, device=device)

    def __call__(self, x: Tensor, apply: Tensor, rank: Tensor, factors: Tensor) -> Tensor:
        """In place.

        Args:
            x: [C, N, P].
            apply: bool [N].
            rank: [N, operations]; they are applied from the lowest to the highest.
            factors: float32 [N, operations], as in `Parameters`.
        """
        n = len(self.blends)
        place = (rank[:, :, None] > rank[:, None, :]).sum(dim=2)
        place, turn = place[:, :n], place[:, n:]
        if self.hue:
            place = torch.add(place, place > turn, alpha=n - 1)  # after the turn, place 1 is pass n
        change = (1 - factors[:, :n]) * apply[:, None]
        change = ((place[:, None] == self.passes) * change[:, None])[..., None]  # [N, passes, n, 1]
        a = 1 - change.sum(dim=2)
        b, c = (
            change[:, :, self.blends.index(op)] if op in self.blends else torch.zeros_like(a)
            for op in (SATURATION, CONTRAST)
        )
        for number in range(n):
            self._blend(x, a[:, number], b[:, number], c[:, number])
        if self.hue:
            self._turn(x, (factors[:, n] * apply)[:, None])
        for number in range(n, len(self.passes)):
            self._blend(x, a[:, number], b[:, number], c[:, number])
        return x

    def _blend(self, x: Tensor, a: Tensor, b: Tensor, c: Tensor) -> None:
        grays = gray(x, self.luma)
        grays = torch.addcmul(c * grays.mean(dim=1, keepdim=True), grays, b, out=grays)
        torch.addcmul(grays, x, a, out=x).clamp_(0, 1)

    def _turn(self, x: Tensor, shift: Tensor) -> None:
        """Turn hues by shares [N, 1] of the colour circle; the largest and the smallest value of a pixel stay.

        The angle from red is 1 + (green + blue - red - least) / spread sixths of the circle, to either side: towards
        green where that is larger than blue.
        """
        least, most = torch.aminmax(x, dim=0)
        spread = (most - least).clamp_min_(1e-20)  # where it is 0, any angle will do
        greener = x[1] - x[2]
        least.view(-1).addmv_(x.view(3, -1).T, self.across, beta=-1)
        angle = torch.addcdiv(self.sixth, least, spread, value=1 / 6).copysign_(greener).add_(shift).remainder_(1)
        below = (angle - self.angles).abs_()
        below = torch.addcmul(self.offsets, below, self.slopes, out=below).clamp_(0, 1)
        torch.addcmul(most, below, spread, value=-1, out=x)


class Blur:
    """`blur.by_products` with a width for each image, which is none for those that keep their bits."""

    def __init__(self, kernel: int, size: int, device: torch.device) -> None:
        self.kernel, self.size = kernel, size
        half = kernel // 2
        distance = (torch.arange(kernel, device=device) - half).abs()
        each = (distance == torch.arange(half + 1, device=device)[:, None]).float()
        self.paths = toeplitz(each, size).view(half + 1, size * size)  # how often a distance leads from pixel to pixel
        self.none = torch.full((1,), 1e-3, device=device)  # pixels: float32's Gaussian is 0 on the next one

    def __call__(self, x: Tensor, apply: Tensor, sigma: Tensor) -> Tensor:
        """Blur x [N, S, C, S], contiguous; which views: bool [N]; how wide: float32 [N], pixels."""
        size, n, channels = self.size, len(sigma), x.shape[2]
        taps = gaussian(torch.where(apply, sigma, self.none), self.kernel)
        matrix = torch.mm(taps[:, self.kernel // 2 :], self.paths).view(n, size, size)
        x = torch.bmm(matrix, x.view(n, size, channels * size))
        return torch.bmm(x.view(n, size * channels, size), matrix.transpose(1, 2)).view(n, size, channels, size)


def gray(x: Tensor, luma: Tensor) -> Tensor:
    """Luma of [C, N, P], by C weights: [N, P]."""
    return torch.mv(x.view(len(luma), -1).T, luma).view(x.shape[1:])


def by_rows(x: Tensor) -> Tensor:
    """[C, N, S, S] in the order in which one product takes the rows, or the columns, of all channels: [N, S, C, S]."""
    return x.permute(1, 2, 0, 3)


def by_channels(x: Tensor) -> Tensor:
    """Back again: [N, S, C, S] as [C, N, S, S]."""
    return x.permute(2, 0, 1, 3)


def contiguous(operation: Callable[..., Tensor], *operands: Tensor) -> Tensor:
    """The float32 result of an elementwise operation in contiguous memory, in one pass whatever the operands' strides.

    A compiler makes one pass of two by itself, and loses the strides of an `out`.
    """
    if torch.compiler.is_compiling():
        return operation(*operands).contiguous()
    shape = torch.broadcast_shapes(*(x.shape for x in operands))
    return operation(*operands, out=torch.empty(shape, device=operands[0].device))
