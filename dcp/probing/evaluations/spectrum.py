"""What the spectra of features, of F and of W say about collapse and alignment; needs no labels.

Of the test features Z [N, D], with second moments M = ZᵀZ/N, mean m and covariance S = M - mmᵀ:

    rankme               exp(-Σ p log p), p = σ/Σσ, σ the singular values of Z (Garrido et al. 2023)
    stable_rank          ‖Z‖_F² / σ₁²
    nesum                Σ λ_i / λ_1, λ the eigenvalues of S (He, Ozay 2022, ICML)
    participation_ratio  (Σ λ)² / Σ λ²
    normalized_std       mean over dimensions of the deviation of z/|z| (Chen, He 2021, section 4.1)
    powerlaw_alpha       minus the slope of log λ_i over log i, by least squares over the ranks i of `fit`

The ranks lie between 1 (one direction) and D (all alike); where there is nothing to rank they are 0, as those
of S are for constant features. normalized_std is 0 for collapsed features and at most 1/√D. RankMe is said to
add 1e-7 to each p in the paper (unverified); here directions below float64's rounding count as nothing
instead.

α near 1 is what visual cortex shows, and what is said to go with features that generalise (Stringer et al. 2019, Nature
571, who fit ranks 11 to 500 of cross-validated eigenvalues; Agrawal et al. 2022, α-ReQ). Here the eigenvalues are not
cross-validated, and ranks beyond the number of directions are left out; with fewer than 3 ranks there is no α.

Directions that N images do not span have λ = 0, and with N <= D that is so however the features are distributed:
all ranks come out too low and α too high (rank: MONAI issue 8996). `extra` names the scores that this concerns.

Of F and W, if the run has them (Tian, Chen, Ganguli 2021, arXiv:2102.06810, section 3 and its figures of
eigenspace alignment):

    commutator           ‖FW - WF‖_F / (2‖F‖_F‖W‖_F), 0 if F and W share eigenvectors
    alignment            ‖diag(UᵀWU)‖ / ‖W‖_F, the cosine between W and the nearest matrix that has F's
                         eigenvectors U; 1 if W has them
    alignment_by_eigenvector (in extra)  |uᵀWu| / |Wu| of each eigenvector u of F, by falling eigenvalue

Where eigenvalues of F coincide, any of many eigenvectors will do, and `alignment` depends on which came out;
`commutator` does not. A learnt W need not be symmetric: its eigenvalues here are those of (W + Wᵀ)/2, and
asymmetry is ‖W - Wᵀ‖_F / (2‖W‖_F).

Of several views of some test images, `_of_views.py`: LiDAR (Thilak et al. 2024), alignment of the views and uniformity
(Wang, Isola 2020). `alignment` above is that of F and W; that of views is `view_alignment`.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional as fn

from dcp.catalogue import IMAGES, WIDEST, VariantConfig
from dcp.errors import RunError
from dcp.method import spectra
from dcp.probing.evaluations import _of_views, _ranks, base
from dcp.probing.evaluations.base import Json, Scores, Subject

labels = False
Rank = Annotated[int, Field(ge=1, le=WIDEST)]
BIASED = ("rankme", "stable_rank", "nesum", "participation_ratio", "powerlaw_alpha")
ROWS_AT_A_TIME = 8192
# a deviation of this share of the features' size may be no more than what float32 makes of a constant
ROUNDING = 1e-6


class Config(VariantConfig):
    """Settings of the spectrum."""

    name: Literal["spectrum"] = "spectrum"
    fit: tuple[Rank, Rank] = Field((11, 500), description="first and last rank of the power-law fit")
    images: int = Field(1000, ge=2, le=IMAGES, description="at most this many test images for LiDAR and uniformity")
    views: int = Field(10, ge=2, le=1000, description="number of views of each of them")

    @model_validator(mode="after")
    def _check(self) -> "Config":
        if self.fit[0] > self.fit[1]:
            raise ValueError(f"fit must go up: ({self.fit[0]}, {self.fit[1]})")
        return self


def average(x: Tensor, total: Callable[[Tensor], Tensor]) -> Tensor:
    """Mean over the rows of x [N, D] of what `total` sums over a few of them, in float64."""
    parts = [total(base.wide(rows)) for rows in torch.split(x, ROWS_AT_A_TIME)]
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
    """How far F's eigenvectors u are W's: ‖diag(UᵀWU)‖ / ‖W‖_F, and |uᵀWu| / |Wu| [D'] by falling eigenvalue."""
    U = spectra.eigh(F)[1].flip(1)
    kept, whole = (U * (W @ U)).sum(0).abs(), (W @ U).norm(dim=0)
    by_eigenvector = torch.where(whole > 0, kept / whole, torch.zeros_like(whole))
    return spectra.divided(kept.norm(), W.norm()), by_eigenvector


def of_features(x: Tensor, fit: tuple[int, int]) -> tuple[dict[str, float], dict[str, Json]]:
    """Scores and lists that need the features [N, D] alone; `fit`: first and last rank of the power law."""
    M, S = moments(x)
    second, covariance, std = _ranks.falling(M), _ranks.falling(S), normalized_std(x)
    n, dim = x.shape
    score = {
        "rankme": float(_ranks.rankme(second)),
        "stable_rank": float(_ranks.nesum(second)),
        "nesum": float(_ranks.nesum(covariance)),
        "participation_ratio": float(spectra.effective_rank(S)),
        "normalized_std": float(std.mean()),
    }
    extra: dict[str, Json] = {
        "rankme": {"n": n, "dim": dim, "biased": n <= dim},
        "feature_covariance_eigenvalues": covariance.tolist(),
        "normalized_std": std.tolist(),
        "normalized_std_at_most": dim**-0.5,
    }
    if (law := _ranks.powerlaw(covariance, *fit)) is not None:
        score["powerlaw_alpha"] = law[0]
        extra["powerlaw"] = {"ranks": [fit[0], law[2]], "explained": law[1]}
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
    return None if M is None else base.wide(M)


@torch.no_grad()
def evaluate(subject: Subject, config: Config, *, seed: int) -> Scores:
    """Ranks of the test features, alignment of F and W, and what views say; by `seed` these are drawn.

    Training features decide nothing here. Of features alone there are no views.

    Raises:
        RunError: features, F or W are not finite.
    """
    base.check_split(subject.test, "test", labels=False)
    score, extra = of_features(subject.test.x, config.fit)
    more_score, more_extra = of_matrices(matrix(subject.F, "F"), matrix(subject.W, "W"))
    biased = [*BIASED] if len(subject.test) <= subject.test.x.shape[1] else []
    of_views, about = _of_views.measured(subject, config.images, config.views, seed)
    biased += [name for name, what in about.items() if isinstance(what, Mapping) and what.get("biased")]
    extra |= {**more_extra, **about, "biased": biased}
    settings: dict[str, Json] = {**config.model_dump(mode="json")}
    return Scores({**score, **more_score, **of_views}, len(subject.test), settings=settings, extra=extra)
