"""Gaussian blur with a width of its own for each image; equals torchvision's `gaussian_blur`.

Edges are reflected, and the kernel is separable: rows, then columns. On a CPU these are two convolutions with
a group for each image and channel. On one core a view of 96 px with 9 taps takes 85 µs so, 190 as dense
products, 130 as sums of shifted images; 224 px with 23 taps 950, 2,300 and 1,500; 32 px with 3 taps 5 to 10
each way. On accelerators they are products with Toeplitz matrices, M @ x @ Mᵀ: nearly free there, and without
the search for an algorithm that convolutions may start for each new number of blurred images.

Shapes: B images of C channels, view S x S, K taps.
"""

import torch
from torch import Tensor
from torch.nn import functional as fn


def blur(x: Tensor, apply: Tensor, sigma: Tensor, kernel: int) -> Tensor:
    """Blur the images of x [B, C, S, S] with `apply`, in place if there are others; those keep their bits.

    Args:
        x: float32.
        apply: bool [B] on the CPU.
        sigma: float32 [B] on the CPU, pixels.
        kernel: taps, odd; kernel // 2 < S.
    """
    rows = apply.nonzero()[:, 0]
    if len(rows) == 0 or kernel == 1:
        return x
    taps = gaussian(sigma[rows], kernel).to(x.device, non_blocking=True)
    convolve = by_convolution if x.is_cpu else by_products
    if len(rows) == len(x):
        return convolve(x, taps)
    rows = rows.to(x.device, non_blocking=True)
    return x.index_copy_(0, rows, convolve(x.index_select(0, rows), taps))


def gaussian(sigma: Tensor, kernel: int) -> Tensor:
    """Normalised taps of Gaussians: [B] pixels -> [B, kernel]."""
    distance = torch.arange(kernel, dtype=torch.float32, device=sigma.device) - kernel // 2
    weight = torch.exp(-0.5 * (distance / sigma[:, None]).square())
    return weight / weight.sum(dim=1, keepdim=True)


def by_convolution(x: Tensor, taps: Tensor) -> Tensor:
    """[B, C, S, S] and [B, K] -> [B, C, S, S], by grouped convolutions."""
    batch, channels, size = x.shape[:3]
    half = taps.shape[1] // 2
    groups = batch * channels
    kernels = taps.repeat_interleave(channels, dim=0)
    y = fn.pad(x, (half, half, half, half), mode="reflect").view(1, groups, size + 2 * half, size + 2 * half)
    y = torch.conv2d(y, kernels[:, None, None, :], groups=groups)
    y = torch.conv2d(y, kernels[:, None, :, None], groups=groups)
    return y.view(batch, channels, size, size)


def by_products(x: Tensor, taps: Tensor) -> Tensor:
    """The same by M @ x @ Mᵀ."""
    batch, channels, size = x.shape[:3]
    matrix = toeplitz(taps, size)
    y = torch.bmm(x.view(batch, channels * size, size), matrix.transpose(1, 2))
    rows = matrix.repeat_interleave(channels, dim=0)
    return torch.bmm(rows, y.view(batch * channels, size, size)).view(batch, channels, size, size)


def toeplitz(taps: Tensor, size: int) -> Tensor:
    """Matrices that convolve `size` pixels, reflected at both ends: [B, K] -> [B, size, size].

    Pixel j reaches output i directly, over |i - j| pixels, and by its mirror images beyond both ends.
    """
    half = taps.shape[1] // 2
    beyond = half + 1
    reach = torch.cat((taps[:, half:], torch.zeros_like(taps[:, :1])), dim=1)  # weights by distance
    i = torch.arange(size, device=taps.device)[:, None]
    j = torch.arange(size, device=taps.device)[None, :]
    direct = (i - j).abs()
    left = torch.where(j > 0, i + j, beyond)  # an end pixel is its own mirror image, and counts once
    right = torch.where(j < size - 1, 2 * (size - 1) - i - j, beyond)
    paths = torch.stack((direct, left, right)).clamp_(max=beyond)
    return reach[:, paths].sum(dim=1)
