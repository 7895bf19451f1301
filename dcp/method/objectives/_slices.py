"""Random slices: unit vectors that are a function of a counter on the device, so that the host is not asked for it.

The words are those of SplitMix64 (Steele, Lea, Flood 2014), the k-th from a state that the counter is hashed to. Each
gives two uniform numbers of 32 bits, and these two normal ones (Box, Muller 1958). A vector of independent normal
numbers, divided by its norm, is uniform on the sphere.

A CUDA graph that is replayed reads the counter anew. All processes draw the same slices; a resumed run draws those that
it would have drawn, as `Moments.updates`, which counts, is in the checkpoint.
"""

from math import tau

import torch
from torch import Tensor
from torch.nn import functional as fn

STEP = 0x9E3779B97F4A7C15 - 2**64  # the golden ratio times 2^64, as int64
FACTORS = (0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64)
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
    k = torch.arange(1, (dim * count + 1) // 2 + 1, device=counter.device)
    word = _scramble(_scramble(counter * STEP) + k * STEP)
    first, second = ((half.to(dtype) + 0.5) / 2**32 for half in (_shift(word, 32), word & LOW))
    radius, angle = (-2 * first.log()).sqrt(), tau * second
    normal = torch.cat([radius * angle.cos(), radius * angle.sin()])[: dim * count]
    return fn.normalize(normal.view(dim, count), dim=0)


def _scramble(word: Tensor) -> Tensor:
    word = (word ^ _shift(word, 30)) * FACTORS[0]
    word = (word ^ _shift(word, 27)) * FACTORS[1]
    return word ^ _shift(word, 31)


def _shift(word: Tensor, bits: int) -> Tensor:
    """To the right, with zeros from the left: int64 shifts copy the sign bit in."""
    shifted: Tensor = (word >> bits) & ((1 << (64 - bits)) - 1)
    return shifted


def gap_to_centre(p: Tensor, t: Tensor) -> Tensor:
    """Squared distance [B] of the views p [V, B, D] to the mean of the global ones t [G, B, D]; a mean over V and D."""
    return (p - t.mean(0)).square().mean((0, 2))
