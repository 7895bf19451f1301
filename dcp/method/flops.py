"""What an image costs in arithmetic."""

import copy
from collections import Counter
from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from dcp.method.algorithm import Method

BACKWARD = 2  # a backward pass costs two forward passes: gradients of inputs, and of weights


def per_image(method: Method, sizes: Sequence[int]) -> int:
    """Floating-point operations of a training step by image, multiplication and addition counted as two.

    All views, with sides of `sizes` pixels, through the online branch and back, and the global ones through the
    target's network where it has one; matrix products and convolutions only. Counted on shapes alone, so it takes no
    time.
    """
    channels, seen = method.online.channels, sizes[: len(sizes) - method.local]
    online = sum(n * _forward(method.online, size, channels) for size, n in Counter(sizes).items())
    networks = list(method.target.children())
    target = sum(n * _forward(net, size, channels) for net in networks for size, n in Counter(seen).items())
    return online * (1 + BACKWARD) + target


def _forward(branch: nn.Module, size: int, channels: int = 3) -> int:
    shapes = copy.deepcopy(branch).to("meta").eval()
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        shapes(torch.empty(1, channels, size, size, device="meta"))
    return int(counter.get_total_flops())
