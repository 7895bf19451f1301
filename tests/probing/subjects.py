"""Small made-up subjects for the evaluation tests."""

import torch
from torch import Tensor

from dcp.probing.evaluations.base import Features, Subject


def clusters(n: int, dim: int, classes: int, *, spread: float, seed: int) -> Features:
    """Features around one centre a class, with falling variances and a mean far from 0, as encoders give."""
    centres = torch.randn(classes, dim, generator=torch.Generator().manual_seed(99))
    draw = torch.Generator().manual_seed(seed)
    y = torch.randint(0, classes, (n,), generator=draw)
    x = centres[y] + spread * torch.randn(n, dim, generator=draw)
    scale = torch.arange(1, dim + 1) ** -0.5
    return Features((3 + x) * scale, y)


def subject(
    train: int = 600, test: int = 200, dim: int = 12, classes: int = 7, *, spread: float = 2.0, names: bool = True
) -> Subject:
    """Classes that overlap, so that no classifier gets all of them right."""
    parts = [clusters(n, dim, classes, spread=spread, seed=seed) for seed, n in enumerate((train, test))]
    return Subject(*parts, tuple(f"class {c}" for c in range(classes)) if names else ())


def of(x: Tensor, y: list[int], x_test: Tensor, y_test: list[int], classes: int) -> Subject:
    """A subject from numbers written by hand."""
    parts = Features(x.float(), torch.tensor(y)), Features(x_test.float(), torch.tensor(y_test))
    return Subject(*parts, tuple(str(c) for c in range(classes)))
