"""Diagnosis: is the representation collapsing? Numbers of one batch, and their reading in words.

None of them needs an eigen-decomposition.

    u = z / |z|                         projections of both views on the unit sphere
    spread         = √(E|u - E u|²)     0 when all images get the same direction, 1 when directions cancel out
    effective_rank = (Σs)² / Σs²        of the eigenvalues s of the covariance of u: how many dimensions vary

Chen, He 2021 (figure 2) plot mean_d std(u_d) instead, which depends on the basis: projections ±e₁ have 1/D there and
their rotations 1/√D. Here spread² = 1 - |E u|², and both numbers are the same in every basis.

Shapes: B images in the batch, D projection size.
"""

from torch import Tensor

from dcp import spectra

COMPLETE = 0.1  # spread below this: the mean direction alone has a length above 0.995 of 1
# Effective rank below this: nearly all variation is along one line. Healthy runs can come near: the quickstart's ten
# classes separate (linear 66 to 75 %) at effective ranks of 1.4 to 1.8.
DIMENSIONAL = 1.25


def health(z: Tensor) -> dict[str, Tensor]:
    """Spread in [0, 1] and effective rank in [0, D] of projections z [2, B, D], as scalars on their device."""
    u = z.flatten(0, 1).float()
    u = u / u.norm(dim=1, keepdim=True).clamp_min(1e-12)
    u = u - u.mean(0)
    covariance = u.T @ u / len(u)
    spread = covariance.trace().clamp_min(0).sqrt()
    return {"spread": spread, "effective_rank": spectra.effective_rank(covariance)}


def state(spread: float, effective_rank: float) -> tuple[str, str]:
    """The name of the state, and the evidence for it in one sentence.

    >>> state(0.02, 5.0)[0]
    'complete collapse'
    """
    if not spread >= COMPLETE:
        return "complete collapse", (
            f"all images get nearly the same projection: spread {spread:.3f} of 1, below {COMPLETE}"
        )
    if effective_rank < DIMENSIONAL:
        return "dimensional collapse", (
            f"projections vary along {effective_rank:.2f} dimensions only, fewer than {DIMENSIONAL} "
            f"(spread {spread:.2f} of 1)"
        )
    return "healthy", f"spread {spread:.2f} of 1, effective rank {effective_rank:.1f}"
