"""Random numbers by counter: a pure function of a key and an image index, with no generator state.

The generator is SplitMix64. The key is hashed to a base state; the `index`-th output from there is the starting state
of image `index`, whose outputs are the image's numbers. So a number depends neither on the batch it is drawn in nor on
what was drawn before.
"""

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from dcp.method.splitmix64 import FACTORS, STEP, scramble, shift_right, signed

# Parts of the counter's key. A new operation takes a new number: the views of old recipes stay as they are.
CROP, FLIP, JITTER, GRAYSCALE, BLUR, SOLARIZE = range(6)

Column: TypeAlias = tuple[int, int]  # one of the numbers of an image: its operation, its place in that stream from 0

_WORD = (1 << 64) - 1


def uniform(key: tuple[int, ...], index: Tensor, n: int) -> Tensor:
    """Numbers [B, n] uniform in [0, 1), with all 53 bits of a float64, on the device of `index`.

    Row b depends on `key` and `index[b]` alone; a larger n adds numbers and leaves the first ones.

    Args:
        key: what the numbers are for, say (seed, epoch, view, operation); any integers, taken modulo 2^64.
        index: int64 [B], which images.
        n: how many numbers an image.

    >>> index = torch.tensor([7, 3])
    >>> bool((uniform((0, 1), index, 2)[1] == uniform((0, 1), index[1:], 5)[0, :2]).all())
    True
    """
    step = torch.arange(1, n + 1, device=index.device) * signed(STEP)
    return numbers(hashed(key), index[:, None], step)


def hashed(key: tuple[int, ...]) -> int:
    """The base state of a key, as an int64."""
    word = len(key)
    for part in key:
        word = _scramble_integer((word + part + STEP) & _WORD)
    return signed(word)


def keys(seed: int, epoch: int, view: int, columns: Sequence[Column]) -> list[int]:
    """The base state of each column in a view: what changes from epoch to epoch."""
    states = {operation: hashed((seed, epoch, view, operation)) for operation, _ in columns}
    return [states[operation] for operation, _ in columns]


def steps(columns: Sequence[Column], device: torch.device | None = None) -> Tensor:
    """How far each column's number is from its image's starting state: int64 [n], always the same."""
    return torch.tensor([place + 1 for _, place in columns], device=device) * signed(STEP)


def numbers(key: int | Tensor, index: Tensor, step: Tensor) -> Tensor:
    """What `uniform` is made of, for many keys at once: float64 in [0, 1), of the shape to which all broadcast.

    Args:
        key: int64 base states, see `hashed`.
        index: int64, which images.
        step: int64, see `steps`.
    """
    state = scramble(index * signed(STEP) + key)
    words = scramble(state + step)
    return shift_right(words, 11).to(torch.float64) * 2.0**-53


def between(ends: tuple[float, float], u: Tensor) -> Tensor:
    """What u in [0, 1) is between two ends."""
    return ends[0] + (ends[1] - ends[0]) * u


def _scramble_integer(word: int) -> int:
    # Python's integers rather than tensors of one element: a key is hashed in 3 µs instead of 60
    word = ((word ^ (word >> 30)) * FACTORS[0]) & _WORD
    word = ((word ^ (word >> 27)) * FACTORS[1]) & _WORD
    return word ^ (word >> 31)
