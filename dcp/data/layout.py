"""What the pixels of a data set are: how many channels, and of how many bits.

From the decoder to the device an image is uint8 or uint16 [C, h, w]; there it becomes value / white, float32 in [0, 1].
"""

from typing import NamedTuple

import torch

MOST = 16  # channels
WHITE = {torch.uint8: 255, torch.uint16: 65535}  # the value of each type that becomes 1


class Layout(NamedTuple):
    """C channels of 8 or 16 bits."""

    channels: int
    bits: int

    @property
    def dtype(self) -> torch.dtype:
        """Of tensors: uint8 or uint16."""
        return torch.uint8 if self.bits == 8 else torch.uint16

    @property
    def white(self) -> int:
        """The value that becomes 1: 255 or 65535."""
        return WHITE[self.dtype]


RGB = Layout(3, 8)
