"""Symmetric positive matrices: powers, norms by power iteration, and what their spectrum says.

Shapes: D projection size, N samples. Every function is pure and keeps dtype and device.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as fn

Norm = Literal["spectral", "fro", "none"]
Filter = Literal["poly", "log", "log1", "log2"]
Unit = Literal["mean", "one"]

# Singular values come as roots of the eigenvalues of a float32 F, which are rounding below some 1e-7 of the largest.
RESOLUTION = 1e-3
COLD_ITERATIONS = 100  # of power iteration

# q(t) = a + b t + c t² of each iteration of `square_root`: five that together minimise, by a sequence of linear
# programs over a in [0, 1], the largest |y(a) - √a| / (1 / (1 + (√a / 0.02)^1.5) + 0.012). The first four keep
# t = y z within [0, 1.001].
QUADRATICS = (
    (4.21895, -12.31857, 9.07935),
    (4.12123, -11.54717, 8.42594),
    (3.69284, -8.55922, 5.86638),
    (2.64022, -3.36583, 1.72561),
    (1.94038, -1.38462, 0.44429),
)


def checked(F: Tensor) -> Tensor:
    """F [D, D] symmetrised, and zero if any of it is not finite: an eigen-decomposition of NaN would raise.

    F itself keeps the NaN; the loop stops such a run, because its loss is not finite either.

    Raises:
        ValueError: F is not a square matrix.
    """
    require_square(F)
    return torch.where(finite(F), (F + F.T) / 2, 0.0)


def require_square(F: Tensor) -> None:
    """ValueError unless F is a matrix [D, D]."""
    if F.ndim != 2 or F.shape[0] != F.shape[1]:
        raise ValueError(f"expected a square matrix [D, D], got {list(F.shape)}")


def finite(F: Tensor) -> Tensor:
    """Whether all entries are finite, as a boolean on F's device: a NaN or an infinity survives any sum."""
    return torch.isfinite(F.sum())


def eigh(F: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues [D] ascending, negative rounding clipped at 0, and eigenvectors [D, D] in columns."""
    s, U = torch.linalg.eigh(checked(F))
    return s.clamp_min(0), U


def square_root(F: Tensor) -> Tensor:
    """F^½ [D, D] of F [D, D], symmetric positive, by 17 products; zero where F is zero, not finite, or not positive.

        A = F / n,  Y = A,  Z = I,      then  Q = q(Z Y),  Y ← Y Q,  Z ← Q Z,      F^½ = √n Y

    The coupled Newton-Schulz iteration, in which Y goes to A^½ and Z to A^-½ (Higham, Functions of Matrices, 2008,
    ch. 6), with other polynomials: there q(t) = (3 - t) / 2, which takes a small eigenvalue up by 3/2 an iteration
    however often it needs that; here `QUADRATICS`, for as many iterations as there are. n = ‖F²‖_F^½ lies between λ_max
    and D^¼ λ_max, so nothing diverges and nobody has to know λ_max.

    An eigenvalue a of A gets √a within 8.2e-4, within 2.0e-5 where a is 0 or from 1e-4 on, so the error of F^½ is at
    most D^⅛ times that of √λ_max. float32 adds 1e-5 or so, with products in full precision; no decomposition and no
    branch on a value, so it runs inside a CUDA graph. A negative eigenvalue -δ of A becomes -330 δ as long as it is
    rounding (δ up to 1e-6); what comes of larger ones is told by ‖F^½‖_F² = tr F.

    Raises:
        ValueError: F is not a square matrix.

    >>> square_root(torch.diag(torch.tensor([4.0, 1.0, 0.25]))).diag().round(decimals=3)
    tensor([2.0000, 1.0000, 0.5000])
    """
    require_square(F)
    top = F.abs().amax()  # keeps the powers within the range of the dtype
    A = F / top
    square = A @ A
    n = square.norm().sqrt()
    A = A / n
    Q = _quadratic(A, square / n**2, *QUADRATICS[0])
    Y, Z = A @ Q, Q
    for coefficients in QUADRATICS[1:-1]:
        T = Z @ Y
        Q = _quadratic(T, T @ T, *coefficients)
        Y, Z = Y @ Q, Q @ Z
    T = Z @ Y
    Y = Y @ _quadratic(T, T @ T, *QUADRATICS[-1])
    sound = Y.square().sum() <= 1.1 * A.trace()  # not so where anything is NaN
    return torch.where(sound, (Y + Y.T) * (0.5 * (n * top).sqrt()), 0.0)


def _quadratic(T: Tensor, square: Tensor, a: float, b: float, c: float) -> Tensor:
    """A I + b T + c T² [D, D] of T and T²."""
    Q = torch.add(b * T, square, alpha=c)
    Q.diagonal().add_(a)
    return Q


def start_vector(dim: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """The unit vector [dim] from which power iteration starts: fixed, and generic so as to miss no direction."""
    v = torch.randn(dim, generator=torch.Generator().manual_seed(dim), dtype=torch.float64)
    return fn.normalize(v, dim=0).to(dtype)


def power_iteration(F: Tensor, v: Tensor, iterations: int) -> Tensor:
    """Unit vector [D] nearer to the top eigenvector of F than `v`; stays `v` where F is zero or not finite.

    Each iteration is a product with F [D, D], symmetric positive; it multiplies the part of v [D], of length 1, outside
    the top eigenspace by at most λ₂/λ₁. No decomposition and no branch on a value, so it runs inside a CUDA graph.
    """
    for _ in range(iterations):
        w = F @ v
        length = w.norm()
        v = torch.where((length > 0) & torch.isfinite(length), w / length, v)
    return v


def rayleigh(F: Tensor, v: Tensor) -> Tensor:
    """vᵀFv of a unit vector v [D]: at most λ_max, and off by the square of v's error."""
    return torch.dot(v, F @ v)


def norm(F: Tensor, kind: Norm, v: Tensor | None = None) -> Tensor:
    """What F [D, D], symmetric positive and finite, is divided by: λ_max(F), ‖F‖_F, or 1; a scalar.

    v [D] is a unit vector near the top eigenvector; without it power iteration starts cold.

    Raises:
        ValueError: F is not a square matrix.
    """
    require_square(F)
    if kind == "fro":
        return torch.linalg.matrix_norm(F)  # type: ignore[no-any-return]
    if kind == "none":
        return F.new_ones(())
    if v is None:
        v = power_iteration(F, start_vector(len(F), F.dtype).to(F.device), COLD_ITERATIONS)
    return rayleigh(F, v)


def divided(F: Tensor, s: Tensor) -> Tensor:
    """F / s, and zero where s is zero: a matrix without any signal has no direction to keep."""
    return torch.where(s > 0, F / s, 0.0)


def or_identity(W: Tensor, M: Tensor) -> Tensor:
    """W [D, D], or the identity where M [D, D], of which W was made, is zero or not finite, or where W is not finite.

    A W that is set starts as the identity; without a signal to set it from it is the identity again.
    """
    sound = finite(W) & finite(M) & (M.abs().sum() > 0)
    return torch.where(sound, W, torch.eye(len(W), dtype=W.dtype, device=W.device))


def ridge(F: Tensor, weight: float, unit: Unit) -> Tensor:
    """λ, a scalar: `weight` times F's mean eigenvalue tr F / D, or times one."""
    return weight * (F.trace() / len(F) if unit == "mean" else F.new_ones(()))


def response(s: Tensor, kind: Filter, power: float = 1.0) -> Tensor:
    """g(s) of singular values s [D]: s^power, log s, log(1 + s) or log(1 + s²) (Zhuo et al. 2023, official release).

    s is floored at a thousandth of the largest, below which it is rounding: 0 has no logarithm and no inverse.
    """
    s = torch.maximum(s, RESOLUTION * s.max())
    if kind == "poly":
        return s**power
    if kind == "log":
        return s.log()
    return torch.log1p(s if kind == "log1" else s.square())


def effective_rank(F: Tensor) -> Tensor:
    """Participation ratio (Σs)²/Σs² of F's eigenvalues, from 1 (one direction) to D (white); 0 for F = 0. O(D²)."""
    return divided(F.trace().square(), F.square().sum())


def commutator(F: Tensor, W: Tensor) -> Tensor:
    """‖FW - WF‖_F / (2‖F‖_F‖W‖_F) in [0, 1]: 0 when F and W share eigenvectors (Tian et al. 2021, Theorem 3)."""
    return divided((F @ W - W @ F).norm(), 2 * F.norm() * W.norm())
