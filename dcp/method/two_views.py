"""Two views of the same images through one network: one after the other, as in the papers, or joined in one pass.

Batch norm tells these apart. One after the other, each view is normalised by its own statistics, and the running ones
move twice; joined, both views are normalised by those of both, and the running ones move once. Joined is faster.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Pair = tuple[Tensor, Tensor]  # of view 1 and of view 2, [B, ...] each, B images
Network = Callable[..., Tensor]
TwoViews = Callable[..., Pair]


def one_after_the_other(network: Network, *inputs: Pair) -> Pair:
    """What a network of one or more inputs says of view 1, then of view 2."""
    view1, view2 = zip(*inputs, strict=True)
    return network(*view1), network(*view2)


def joined(network: Network, *inputs: Pair) -> Pair:
    """The same from one forward pass over the 2B views, which mixes the batch statistics of both."""
    view1, view2 = network(*map(torch.cat, inputs)).chunk(2)
    return view1, view2
