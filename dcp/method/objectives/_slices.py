"""Random slices: unit vectors that are a function of a counter on the device, so that the host is not asked for it.

The words are those of SplitMix64, the k-th from a state that the counter is hashed to. Each
gives two uniform numbers of 32 bits, and these two normal ones (Box, Muller 1958). A vector of independent normal
numbers, divided by its norm, is uniform on the sphere.

A CUDA graph that is replayed reads the counter anew. All processes draw the same slices; a resumed run draws those that
it would have drawn, as `Moments.updates`, which counts, is in the checkpoint.
"""

from math import tau

import torch
from torch import Tensor
from torch.nn import functional as fn

from dcp.method.splitmix64 import STEP, scramble, shift_right, signed

LOW = 2**32 - 1


@torch.no_grad()
def directions(counter: Tensor, dim: int, count: int, dtype: torch.dtype) -> Tensor:
    """Unit vectors [D, K], uniform on the sphere, on the device of the counter.

    Args:
        counter: int64 [], how many have been drawn before.
        dim: D.
        count: K.
        dtype: torch.float32 or torch.float64; the same vectors to its rounding.

    >>> a = directions(torch.tensor(3), 5, 7, torch.float64)
    >>> bool((a == directions(torch.tensor(3), 5, 7, torch.float64)).all()), round(a[:, 2].norm().item(), 12)
    (True, 1.0)
    """
    step = signed(STEP)
    k = torch.arange(1, (dim * count + 1) // 2 + 1, device=counter.device)
    word = scramble(scramble(counter * step) + k * step)
    first, second = ((half.to(dtype) + 0.5) / 2**32 for half in (shift_right(word, 32), word & LOW))
    radius, angle = (-2 * first.log()).sqrt(), tau * second
    normal = torch.cat([radius * angle.cos(), radius * angle.sin()])[: dim * count]
    return fn.normalize(normal.view(dim, count), dim=0)


def gap_to_centre(p: Tensor, t: Tensor) -> Tensor:
    """Squared distance [B] of the views p [V, B, D] to the mean of the global ones t [G, B, D]; a mean over V and D."""
    return (p - t.mean(0)).square().mean((0, 2))
