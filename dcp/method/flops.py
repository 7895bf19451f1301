"""What an image costs in arithmetic."""

import copy

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from dcp.method.algorithm import Method

BACKWARD = 2  # a backward pass costs two forward passes: gradients of inputs, and of weights


def per_image(method: Method, size: int) -> int:
    """Floating-point operations of a training step by image, multiplication and addition counted as two.

    Both views of `size` pixels through the online branch and back, and through the target's network where it has one;
    matrix products and convolutions only. Counted on shapes alone, so it takes no time.
    """
    channels = method.online.channels
    target = sum(_forward(network, size, channels) for network in method.target.children())
    return 2 * (_forward(method.online, size, channels) * (1 + BACKWARD) + target)


def _forward(branch: nn.Module, size: int, channels: int = 3) -> int:
    shapes = copy.deepcopy(branch).to("meta").eval()
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        shapes(torch.empty(1, channels, size, size, device="meta"))
    return int(counter.get_total_flops())
