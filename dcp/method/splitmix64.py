"""SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators") on tensors of int64.

Its state advances by an odd constant, and its output is a bijective scrambling of the state. All arithmetic is modulo
2^64: torch's int64, whose sums and products wrap around on every device alike. Numbers are made of the words where they
are needed: of views in `data/views/random_numbers.py`, of slices in `objectives/_slices.py`.
"""

from torch import Tensor

STEP = 0x9E3779B97F4A7C15  # the golden ratio times 2^64, odd
FACTORS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)  # David Stafford's 13th variant


def signed(word: int) -> int:
    """The int64 with the same bits as the unsigned `word`."""
    return word - (1 << 64) if word >> 63 else word


def scramble(word: Tensor) -> Tensor:
    """The output of the state `word`, int64 of any shape."""
    word = (word ^ shift_right(word, 30)) * signed(FACTORS[0])
    word = (word ^ shift_right(word, 27)) * signed(FACTORS[1])
    return word ^ shift_right(word, 31)


def shift_right(word: Tensor, bits: int) -> Tensor:
    """The unsigned shift: that of int64 copies the sign bit in."""
    shifted: Tensor = (word >> bits) & ((1 << (64 - bits)) - 1)
    return shifted
