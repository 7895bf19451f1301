"""The plan: which images every step sees. A function of (seed, step) alone, so that resuming needs no state.

Legend: N images, B images in the batch of all processes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Plan:
    """Epochs of shuffled batches; the last batch of an epoch holds what remains, as in the official releases.

    A remainder too small to give each process two images is left out, because batch norm needs two.
    """

    images: int  # N
    batch: int  # B
    epochs: int
    seed: int  # of the order
    processes: int = 1  # that share each batch

    @property
    def remainder(self) -> int:
        """Images of the smaller batch at an epoch's end; 0 where there is none."""
        rest = self.images % self.batch
        return rest if rest >= 2 * self.processes else 0

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps an epoch.

        >>> Plan(images=50_000, batch=128, epochs=1, seed=0).steps_per_epoch
        391
        """
        return self.images // self.batch + (self.remainder > 0)

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole training."""
        return self.steps_per_epoch * self.epochs

    def epoch_of(self, step: int) -> int:
        """The epoch that `step` belongs to, from 0."""
        return step // self.steps_per_epoch

    def ends_epoch(self, step: int) -> bool:
        """Whether `step` is the last of its epoch."""
        return (step + 1) % self.steps_per_epoch == 0

    @property
    def seen(self) -> int:
        """Images that the whole training sees, an image once an epoch."""
        return self.epochs * (self.images // self.batch * self.batch + self.remainder)

    def is_remainder(self, step: int) -> bool:
        """Whether the batch of `step` is what remains at an epoch's end, and less than half a batch.

        >>> [Plan(images=10, batch=4, epochs=1, seed=0).is_remainder(step) for step in range(3)]
        [False, False, False]
        >>> [Plan(images=11, batch=8, epochs=1, seed=0).is_remainder(step) for step in range(2)]
        [False, True]
        """
        return self.ends_epoch(step) and 0 < 2 * self.remainder < self.batch

    def order(self, epoch: int) -> Tensor:
        """The images in the order in which an epoch shows them, int64 [N]."""
        generator = torch.Generator().manual_seed((self.seed << 31) + epoch)
        return torch.randperm(self.images, generator=generator)

    def indices(self, step: int, order: Tensor) -> Tensor:
        """The images of `step`, int64 [<= B], given the order of its epoch."""
        start = step % self.steps_per_epoch * self.batch
        return order[start : start + self.batch]

    def share(self, indices: Tensor, rank: int) -> Tensor:
        """The part of a batch that process `rank` sees; parts differ by one image at most."""
        return torch.tensor_split(indices, self.processes)[rank]
