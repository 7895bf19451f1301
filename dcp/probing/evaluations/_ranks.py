"""Ranks: what the eigenvalues of features' moments say about how many directions there are, and how they fade.

Shapes: D features.
"""

import torch
from torch import Tensor

from dcp.method import spectra

FEWEST_RANKS = 3


def falling(M: Tensor) -> Tensor:
    """Eigenvalues [D] of a symmetric positive M [D, D], largest first, 0 where they are below rounding."""
    eigenvalues = spectra.eigh(M)[0].flip(0)
    floor = eigenvalues[0] * len(eigenvalues) * torch.finfo(eigenvalues.dtype).eps
    return torch.where(eigenvalues > floor, eigenvalues, torch.zeros_like(eigenvalues))


def rankme(eigenvalues: Tensor) -> Tensor:
    """RankMe exp(-Σ p log p), p = σ/Σσ, of eigenvalues σ² [D] of ZᵀZ (Z not centred) or a multiple; 0 if all are 0.

    >>> round(float(rankme(torch.ones(8))), 4)
    8.0
    """
    p = spectra.divided(eigenvalues.sqrt(), eigenvalues.sqrt().sum())
    return torch.xlogy(p, p).sum().neg().exp() * (eigenvalues.sum() > 0)


def nesum(eigenvalues: Tensor) -> Tensor:
    """Σ λ_i / λ_1 of eigenvalues [D] of a covariance, from 1 (rank one) to D (white); 0 if all are 0.

    Of ZᵀZ it is the stable rank ‖Z‖_F²/σ₁².

    >>> float(nesum(torch.tensor([4.0, 1.0, 1.0])))
    1.5
    """
    return spectra.divided(eigenvalues.sum(), eigenvalues.max())


def powerlaw(eigenvalues: Tensor, first: int, last: int) -> tuple[float, float, int] | None:
    """α of λ_i ~ i^-α, the share of the variance of log λ that the line explains, and the last rank fitted.

    The eigenvalues [D] fall, to 0 where there is no direction; ranks count from 1, and there may be fewer than `last`.
    None if there are fewer than 3 to fit.

    >>> [round(value, 6) for value in powerlaw(torch.arange(1, 40.0) ** -1.5, 11, 500)]
    [1.5, 1.0, 39]
    """
    last = min(last, int((eigenvalues > 0).sum()))
    if last - first + 1 < FEWEST_RANKS:
        return None
    rank = torch.arange(first, last + 1, dtype=torch.float64, device=eigenvalues.device).log()
    value = eigenvalues[first - 1 : last].double().log()
    x, y = rank - rank.mean(), value - value.mean()
    slope = (x @ y) / (x @ x)
    explained = spectra.divided(slope**2 * (x @ x), y @ y)
    return -float(slope), float(explained), last
