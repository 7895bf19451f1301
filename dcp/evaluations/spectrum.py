"""What the spectra of features, of F and of W say about collapse and alignment; needs no labels.

Of the test features Z [N, D], with second moments M = ZᵀZ/N, mean m and covariance S = M - mmᵀ:

    rankme               exp(-Σ p log p), p = σ/Σσ, σ the singular values of Z (Garrido et al. 2023)
    stable_rank          ‖Z‖_F² / σ₁²
    nesum                Σ λ_i / λ_1, λ the eigenvalues of S (He, Ozay 2022, ICML)
    participation_ratio  (Σ λ)² / Σ λ²
    normalized_std       mean over dimensions of the deviation of z/|z| (Chen, He 2021, section 4.1)

The ranks lie between 1 (one direction) and D (all alike); where there is nothing to rank they are 0, as those
of S are for constant features. normalized_std is 0 for collapsed features and at most 1/√D. RankMe is said to
add 1e-7 to each p in the paper (unverified); here directions below float64's rounding count as nothing
instead. With N <= D images RankMe cannot reach D: `extra` says so.

Of F and W, if the run has them (Tian, Chen, Ganguli 2021, arXiv:2102.06810, section 3 and its figures of
eigenspace alignment):

    commutator           ‖FW - WF‖_F / (2‖F‖_F‖W‖_F), 0 if F and W share eigenvectors
    alignment            ‖diag(UᵀWU)‖ / ‖W‖_F, the cosine between W and the nearest matrix that has F's
                         eigenvectors U; 1 if W has them
    alignment_by_eigenvector (in extra)  |uᵀWu| / |Wu| of each eigenvector u of F, by falling eigenvalue

Where eigenvalues of F coincide, any of many eigenvectors will do, and `alignment` depends on which came out;
`commutator` does not. A learnt W need not be symmetric: its eigenvalues here are those of (W + Wᵀ)/2, and
asymmetry is ‖W - Wᵀ‖_F / (2‖W‖_F).
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as fn

from dcp import evaluation, spectra
from dcp.errors import RunError
from dcp.evaluation import Json, Scores, Subject
from dcp.variants import VariantConfig

labels = False
ROWS_AT_A_TIME = 8192
# a deviation of this share of the features' size may be no more than what float32 makes of a constant
ROUNDING = 1e-6


class Config(VariantConfig):
    """The spectrum has no settings."""

    name: Literal["spectrum"] = "spectrum"


def falling(M: Tensor) -> Tensor:
    """Eigenvalues [D] of a symmetric positive M [D, D], largest first, 0 where they are below rounding."""
    eigenvalues = spectra.eigh(M)[0].flip(0)
    floor = eigenvalues[0] * len(eigenvalues) * torch.finfo(eigenvalues.dtype).eps
    return torch.where(eigenvalues > floor, eigenvalues, torch.zeros_like(eigenvalues))


def rankme(eigenvalues: Tensor) -> Tensor:
    """RankMe exp(-Σ p log p), p = σ/Σσ, of features with the squared singular values σ²; 0 if all are 0.

    Args:
        eigenvalues: [D], not negative, of ZᵀZ (Z not centred) or of any multiple of it.

    >>> round(float(rankme(torch.ones(8))), 4)
    8.0
    """
    p = spectra.divided(eigenvalues.sqrt(), eigenvalues.sqrt().sum())
    return torch.xlogy(p, p).sum().neg().exp() * (eigenvalues.sum() > 0)


def nesum(eigenvalues: Tensor) -> Tensor:
    """Σ λ_i / λ_1, from 1 (rank one) to D (white); 0 if all are 0.

    Args:
        eigenvalues: [D], not negative, of a covariance; or of ZᵀZ, which makes it the stable rank ‖Z‖_F²/σ₁².

    >>> float(nesum(torch.tensor([4.0, 1.0, 1.0])))
    1.5
    """
    return spectra.divided(eigenvalues.sum(), eigenvalues.max())


def average(x: Tensor, total: Callable[[Tensor], Tensor]) -> Tensor:
    """Mean over the rows of x [N, D] of what `total` sums over a few of them, in float64."""
    parts = [total(evaluation.wide(rows)) for rows in torch.split(x, ROWS_AT_A_TIME)]
    return torch.stack(parts).sum(0) / len(x)


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Second moments M and covariance S, both [D, D] float64, of x [N, D]; S = 0 if all rows are the same."""
    M, m = average(x, lambda z: z.T @ z), average(x, lambda z: z.sum(0))
    S = M - torch.outer(m, m)
    return M, torch.where(S.trace() > ROUNDING**2 * M.trace(), S, torch.zeros_like(S))


def normalized_std(x: Tensor) -> Tensor:
    """Deviation [D] of each dimension of z/|z| over the rows z of x [N, D]; 1/√D for an even spread."""
    mean = average(x, lambda z: fn.normalize(z).sum(0))
    return average(x, lambda z: (fn.normalize(z) - mean).square().sum(0)).sqrt()


def alignment(F: Tensor, W: Tensor) -> tuple[Tensor, Tensor]:
    """How far F's eigenvectors u are W's: ‖diag(UᵀWU)‖ / ‖W‖_F, and |uᵀWu| / |Wu| [D'] by falling eigenvalue.

    Args:
        F: [D', D'] symmetric.
        W: [D', D'].
    """
    U = spectra.eigh(F)[1].flip(1)
    kept, whole = (U * (W @ U)).sum(0).abs(), (W @ U).norm(dim=0)
    by_eigenvector = torch.where(whole > 0, kept / whole, torch.zeros_like(whole))
    return spectra.divided(kept.norm(), W.norm()), by_eigenvector


def of_features(x: Tensor) -> tuple[dict[str, float], dict[str, Json]]:
    """Scores and lists that need the features [N, D] alone."""
    M, S = moments(x)
    second, covariance, std = falling(M), falling(S), normalized_std(x)
    n, dim = x.shape
    score = {
        "rankme": float(rankme(second)),
        "stable_rank": float(nesum(second)),
        "nesum": float(nesum(covariance)),
        "participation_ratio": float(spectra.effective_rank(S)),
        "normalized_std": float(std.mean()),
    }
    extra: dict[str, Json] = {
        "rankme": {"n": n, "dim": dim, "biased": n <= dim},
        "feature_covariance_eigenvalues": covariance.tolist(),
        "normalized_std": std.tolist(),
        "normalized_std_at_most": dim**-0.5,
    }
    return score, extra


def of_matrices(F: Tensor | None, W: Tensor | None) -> tuple[dict[str, float], dict[str, Json]]:
    """Scores and lists of the matrices [D', D'] that the run has; nothing of one that it has not."""
    score: dict[str, float] = {}
    extra: dict[str, Json] = {}
    if F is not None:
        score["F_effective_rank"] = float(spectra.effective_rank(F))
        extra["F_eigenvalues"] = spectra.eigh(F)[0].flip(0).tolist()
    if W is not None:
        score["W_asymmetry"] = float(spectra.divided((W - W.T).norm(), 2 * W.norm()))
        extra["W_eigenvalues"] = torch.linalg.eigvalsh((W + W.T) / 2).flip(0).tolist()
    if F is not None and W is not None:
        cosine, by_eigenvector = alignment(F, W)
        score |= {"commutator": float(spectra.commutator(F, W)), "alignment": float(cosine)}
        extra["alignment_by_eigenvector"] = by_eigenvector.tolist()
    return score, extra


def matrix(M: Tensor | None, symbol: str) -> Tensor | None:
    """`M` in float64.

    Raises:
        RunError: an entry is not finite.
    """
    if M is not None and not bool(M.isfinite().all()):
        raise RunError(f"{symbol} of the run is not finite", slug="bad-features", where=symbol)
    return None if M is None else evaluation.wide(M)


@torch.no_grad()
def evaluate(subject: Subject, config: Config, *, seed: int) -> Scores:
    """Ranks of the test features, alignment of F and W; training features and `seed` decide nothing here.

    Raises:
        RunError: features, F or W are not finite.
    """
    evaluation.check(subject.test, "test", labels=False)
    score, extra = of_features(subject.test.x)
    more_score, more_extra = of_matrices(matrix(subject.F, "F"), matrix(subject.W, "W"))
    settings: dict[str, Json] = {**config.model_dump(mode="json")}
    return Scores(score | more_score, len(subject.test), settings=settings, extra={**extra, **more_extra})
