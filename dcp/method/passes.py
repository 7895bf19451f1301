"""The views of the same images through one network: one after the other, as in the papers, or joined in one pass.

Batch norm tells these apart. One after the other, each view is normalised by its own statistics, and the running ones
move once a view; joined, the views of one size are normalised by those of all, and the running ones move once a size.
Joined is faster.
"""

from collections.abc import Callable, Sequence
from itertools import groupby

import torch
from torch import Tensor

Network = Callable[..., Tensor]
Pass = Callable[..., tuple[Tensor, ...]]  # (network, views, ...) -> what the network gives of each view


def one_after_the_other(network: Network, *inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """What a network of one or more inputs, [V] of [B, ...] each, gives of view 1, then of view 2, ..."""
    return tuple(network(*view) for view in zip(*inputs, strict=True))


def joined(network: Network, *inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The same from one forward pass for neighbours of one size, which mixes their batch statistics."""
    out = list[Tensor]()
    for _, views in groupby(zip(*inputs, strict=True), key=lambda view: view[0].shape):
        same = list(views)
        out += network(*map(torch.cat, zip(*same, strict=True))).chunk(len(same))
    return tuple(out)
