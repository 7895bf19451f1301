"""Draws: which training images are held out, and which few of each class are kept.

Shapes: N images.
"""

import torch
from torch import Tensor


def hold_out(y: Tensor, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Rows to fit and rows held out of classes y [N], both ascending; neither is empty if there are two or more images.

    Held out is every 1/share-th image, `share` in (0, 1), of a list shuffled, then sorted by class: so each class
    gives its share to within one image.
    """
    count = min(max(round(share * len(y)), 1), len(y) - 1)
    held = torch.zeros(len(y), dtype=torch.bool)
    held[evenly(y, count, seed)] = True
    return torch.where(~held)[0].to(y.device), torch.where(held)[0].to(y.device)


def evenly(y: Tensor, count: int, seed: int) -> Tensor:
    """Rows [count] of a random choice to which each class of y [N] gives its share, to within one image."""
    shuffled = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))
    by_class = shuffled[y.cpu()[shuffled].argsort(stable=True)]
    return by_class[((torch.arange(count) + 0.5) * (len(y) / max(count, 1))).long()]


def few(y: Tensor, each: int, seed: int) -> Tensor:
    """Rows, ascending, of `each` random images of every class of y [N]; a class with fewer gives all it has.

    >>> len(few(torch.tensor([0, 0, 0, 1, 1, 2]), 2, seed=0))
    5
    """
    shuffled = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))
    y = y.cpu()[shuffled]
    taken = [shuffled[torch.where(y == c)[0][:each]] for c in y.unique()]
    return torch.cat(taken).sort().values
