"""Wide 3x3 convolutions with fewer multiplications, for CPUs: F(4x4, 3x3), an algorithm that cuDNN has for GPUs.

A block y of 4x4 outputs comes from the window d of 6x6 inputs around it (Winograd 1980; Lavin and Gray 2016):

    y = A^T [ (G g G^T) * (B^T d B) ] A        g the 3x3 weights, * by element: 36 products where the sum has 144

With all blocks and channels these are 36 matrix products. The gradients pass the transposes of the same three maps.

Shapes: N images, n of them in a part, sides H and W, h = H / 4 and w = W / 4 blocks (rounded up), C channels in, K out.
Maps are [N, H, W, C] in here, as channels-last memory lies; planes are [36, nhw, C].
"""

from functools import lru_cache
from math import ceil, inf
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as fn

Matrix = tuple[tuple[float, ...], ...]

B_T: Matrix = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
G: Matrix = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
A_T: Matrix = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))

# When it pays, by `python -m benchmarks convolutions` on one and two cores with AVX2; elsewhere nobody has measured it.
CAPABILITY = "AVX2"
NARROWEST = {1: 64, 2: 256}  # channels by threads: the three maps must cost less than is saved, and two cores hand
# each other the planes; on more threads torch's own convolution is taken
FEWEST = 2048  # outputs a channel: with fewer, the map of the weights costs too much
MARGIN = {64: 1.0, 128: 1.35}  # outputs computed for one that is wanted, since sides are rounded up to multiples of 4
ROWS = 128  # blocks in a part, for each thread: its planes stay in the cache


def measured() -> bool:
    """Whether this processor is of the kind that `pays` was measured on."""
    return torch.backends.cpu.get_cpu_capability() == CAPABILITY


def adopt(network: nn.Module, threads: int) -> bool:
    """Have a network's 3x3 convolutions that are wide enough for so many threads computed so while it trains.

    Says whether there are any. Weights and their keys stay; copies of the network do the same. Subclasses of nn.Conv2d
    stay what they are.
    """
    wide = [module for module in network.modules() if type(module) is nn.Conv2d and _fits(module, threads)]
    for module in wide:
        module.__class__ = WinogradConv2d
    return bool(wide)


def _fits(conv: nn.Conv2d, threads: int) -> bool:
    shape = (conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups, conv.padding_mode, conv.bias)
    wanted = ((3, 3), (1, 1), (1, 1), (1, 1), 1, "zeros", None)
    return shape == wanted and min(conv.in_channels, conv.out_channels) >= NARROWEST.get(threads, inf)


class WinogradConv2d(nn.Conv2d):
    """torch's convolution [N, C, H, W] -> [N, K, H, W], computed otherwise where that is faster.

    Only in training, in float32 on a CPU, uncompiled: a trained encoder is evaluated with torch's own convolution.
    """

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if self.training and _plain(input) and pays(input, len(weight)):
            return convolution(input, weight)
        return super()._conv_forward(input, weight, bias)  # type: ignore[no-any-return, unused-ignore]


def _plain(x: Tensor) -> bool:
    if x.device.type != "cpu" or x.dtype != torch.float32 or x.ndim != 4:
        return False
    return not torch.is_autocast_enabled("cpu") and not torch.compiler.is_compiling()


def pays(x: Tensor, channels: int) -> bool:
    """Whether a convolution of x [N, C, H, W] to so many channels is faster by this algorithm."""
    narrower = min(x.shape[1], channels)
    if narrower < NARROWEST.get(torch.get_num_threads(), inf):
        return False
    outputs, blocks = len(x) * x.shape[2] * x.shape[3], len(x) * ceil(x.shape[2] / 4) * ceil(x.shape[3] / 4)
    return outputs >= FEWEST and 16 * blocks <= MARGIN[128 if narrower >= 128 else 64] * outputs


def convolution(x: Tensor, weight: Tensor) -> Tensor:
    """The 3x3 convolution with padding 1 of x [N, C, H, W] and weight [K, C, 3, 3]: [N, K, H, W], channels-last.

    Differentiable once. In float32 values and gradients were off by at most 1.1e-5 of the largest one, those of torch's
    own by 6e-6. What is not finite in x makes not a number of all outputs whose window it is in.
    """
    return _Convolution.apply(x, weight)  # type: ignore[no-any-return, no-untyped-call, unused-ignore]


class _Convolution(torch.autograd.Function):
    """Part by part of the images, with the weights' planes U [36, K, C]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        x, U = x.permute(0, 2, 3, 1), _weights(weight)
        n, y = _part(x), _channels_last(x, len(weight))
        for part, out in zip(x.split(n), y.permute(0, 2, 3, 1).split(n), strict=True):
            _outputs(torch.bmm(_inputs(part), U.transpose(1, 2)), out)
        return y

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator, unused-ignore]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        # both, whichever is asked for: a network's wide layers need both
        x, weight = ctx.saved_tensors
        x, gy, U = x.permute(0, 2, 3, 1), gradient.permute(0, 2, 3, 1), _weights(weight)
        n, gx, gU = _part(x), _channels_last(x, x.shape[3]), torch.zeros_like(U)
        for part, g, out in zip(x.split(n), gy.split(n), gx.permute(0, 2, 3, 1).split(n), strict=True):
            gM = _transposed_outputs(g)
            gU.baddbmm_(gM.transpose(1, 2), _inputs(part))
            _transposed_inputs(torch.bmm(gM, U), out)
        return gx, _transposed_weights(gU)


def _channels_last(x: Tensor, channels: int) -> Tensor:
    """Memory for so many channels [N, channels, H, W]: no view, which nothing in place could follow."""
    N, H, W, _ = x.shape
    return torch.empty(N, channels, H, W, dtype=x.dtype, memory_format=torch.channels_last)


def _part(x: Tensor) -> int:
    """How many images of x [N, H, W, C] are computed together."""
    return ceil(ROWS * torch.get_num_threads() / (ceil(x.shape[1] / 4) * ceil(x.shape[2] / 4)))


@lru_cache
def _both_sides(M: Matrix, dtype: torch.dtype) -> Tensor:
    """The matrix of X -> M X M^T on flattened X."""
    m = torch.tensor(M, dtype=torch.float64)
    return torch.kron(m, m).to(dtype)


def _weights(weight: Tensor) -> Tensor:
    """U = G g G^T, [36, K, C], of weight [K, C, 3, 3]."""
    return (_both_sides(G, weight.dtype) @ weight.permute(2, 3, 0, 1).reshape(9, -1)).view(36, *weight.shape[:2])


def _transposed_weights(gU: Tensor) -> Tensor:
    """G^T gU G, [K, C, 3, 3]."""
    return (_both_sides(G, gU.dtype).T @ gU.view(36, -1)).view(3, 3, *gU.shape[1:]).permute(2, 3, 0, 1)


def _inputs(x: Tensor) -> Tensor:
    """B^T d B of every window d of x [n, H, W, C]: [36, nhw, C]."""
    _, H, W, C = x.shape
    padded = fn.pad(x, (0, 0, 1, 1 + -W % 4, 1, 1 + -H % 4))
    windows = padded.unfold(1, 6, 4).unfold(2, 6, 4).permute(4, 5, 0, 1, 2, 3)
    return (_both_sides(B_T, x.dtype) @ windows.reshape(36, -1)).view(36, -1, C)


def _transposed_inputs(gV: Tensor, gx: Tensor) -> None:
    """B gV B^T of [36, nhw, C], summed where windows overlap, into gx [n, H, W, C]."""
    n, H, W, C = gx.shape
    h, w = ceil(H / 4), ceil(W / 4)
    windows = (_both_sides(B_T, gV.dtype).T @ gV.view(36, -1)).view(6, 6, n, h, w, C).permute(2, 3, 0, 4, 1, 5)
    sums = gx.new_zeros(n, h + 1, 4, w + 1, 4, C)
    sums[:, :h, :, :w] = windows[:, :, :4, :, :4]
    sums[:, 1:, :2, :w] += windows[:, :, 4:, :, :4]  # the last two rows of a window are the first two of the next
    sums[:, :h, :, 1:, :2] += windows[:, :, :4, :, 4:]
    sums[:, 1:, :2, 1:, :2] += windows[:, :, 4:, :, 4:]
    gx.copy_(sums.view(n, 4 * h + 4, 4 * w + 4, C)[:, 1 : H + 1, 1 : W + 1])


def _outputs(M: Tensor, y: Tensor) -> None:
    """A^T M A of [36, nhw, K] into y [n, H, W, K]."""
    n, H, W, K = y.shape
    h, w = ceil(H / 4), ceil(W / 4)
    blocks = (_both_sides(A_T, M.dtype) @ M.view(36, -1)).view(4, 4, n, h, w, K).permute(2, 3, 0, 4, 1, 5)
    y.copy_(blocks.reshape(n, 4 * h, 4 * w, K)[:, :H, :W])


def _transposed_outputs(gy: Tensor) -> Tensor:
    """A gy A^T of every block of gy [n, H, W, K]: [36, nhw, K]."""
    _, H, W, K = gy.shape
    whole = fn.pad(gy, (0, 0, 0, -W % 4, 0, -H % 4))
    blocks = whole.unfold(1, 4, 4).unfold(2, 4, 4).permute(4, 5, 0, 1, 2, 3)
    return (_both_sides(A_T, gy.dtype).T @ blocks.reshape(16, -1)).view(36, -1, K)
