"""Closed forms of the linear model, to stand beside its flows.

Derived here unless a source is named. Stationary modes of a predictor that is set solve λ_s p² - λ_d p + η = 0 for p =
w_p; the larger root p₊ is stable, the smaller p₋ is not, 0 is for η > 0.
"""

import torch
from torch import Tensor


def roots(lambda_s: Tensor, lambda_d: Tensor, eta: Tensor) -> tuple[Tensor, Tensor]:
    """p₋ and p₊ = (λ_d ∓ √(λ_d² - 4ηλ_s))/(2λ_s); NaN where η is above the threshold.

    Of a learnt predictor they are the same with λ_s = 1 + σ², λ_d = τ (Tian, Chen, Ganguli 2021).
    """
    root = (lambda_d**2 - 4 * eta * lambda_s).sqrt()
    return 2 * eta / (lambda_d + root), (lambda_d + root) / (2 * lambda_s)  # p₋ so that tiny η loses no digits


def threshold(lambda_s: Tensor, lambda_d: Tensor) -> Tensor:
    """λ_d²/(4λ_s): the weight decay above which a feature vanishes, whatever α."""
    return lambda_d**2 / (4 * lambda_s)


def limit(
    start: Tensor,
    lambda_s: Tensor,
    lambda_d: Tensor,
    eta: Tensor,
    *,
    alpha: Tensor,
    eps: float | Tensor = 0.0,
    inside: bool = False,
    phi: Tensor,
) -> Tensor:
    """w² where a mode that starts at w = `start` ends, under the squared loss.

    φw² = (p₊ - ε)^(1/α) with ε outside the power, p₊^(1/α) - ε inside; 0 if there is no p₊, if the start is below p₋,
    or if ε alone is p₊ or more.
    """
    eps = torch.as_tensor(eps, dtype=start.dtype)
    low, high = roots(lambda_s, lambda_d, eta)
    f = phi * start**2
    p, least = ((f + eps) ** alpha, eps**alpha) if inside else (f**alpha + eps, eps)
    kept = high ** (1 / alpha) - eps if inside else (high - eps).clamp_min(0) ** (1 / alpha)
    return torch.where((p > low) & (high > least), kept / phi, 0.0)  # comparisons with NaN are false


def smallest_start(lambda_s: Tensor, lambda_d: Tensor, eta: Tensor, alpha: Tensor, phi: Tensor) -> Tensor:
    """The w below which a mode collapses, ε = 0: φw² = p₋^(1/α)."""
    return (roots(lambda_s, lambda_d, eta)[0] ** (1 / alpha) / phi).sqrt()


def deep_threshold(layers: Tensor, alpha: Tensor, lambda_s: Tensor, phi: Tensor) -> Tensor:
    """η_max of L balanced layers, λ_d = 1: φ^(-(L-1)/L) κ^κ/(κ+1)^(κ+1) λ_s^(-κ) with κ = 1 + (L-1)/(αL)."""
    kappa = 1 + (layers - 1) / (alpha * layers)
    peak = kappa**kappa / (kappa + 1) ** (kappa + 1) * lambda_s**-kappa
    return phi ** (-(layers - 1) / layers) * peak


def cosine_ratio(sigma2: Tensor, alpha: Tensor) -> Tensor:
    """w² of noise modes over that of kept ones under the cosine loss: (1+σ²)^(-1/α - 1); F of views, ε = 0."""
    return (1 + sigma2) ** (-1 / alpha - 1)


def invariant(t: Tensor, p: Tensor, s: Tensor, eta: Tensor, alpha_p: Tensor) -> Tensor:
    """What s - p²/α_p is after `t`, of a mode that starts at (p, s): e^(-2ηt) times its first value.

    Tian, Chen, Ganguli 2021, whatever the target.
    """
    return torch.exp(-2 * eta * t) * (s - p**2 / alpha_p)


def ema_ratio(times: Tensor, p: Tensor, beta: float) -> Tensor:
    """τ(t) [T] = β e^(-βt)/p(t) ∫₀ᵗ p(t') e^(βt') dt' on the parabola, τ(0) = 0 (Tian et al. 2021).

    Args:
        times: [T], evenly spaced from 0, as fine as p is a straight line between two of them.
        p: [T], the mode at these times.
        beta: rate of the moving average.
    """
    inner = [times.new_zeros(())]
    for step, first, last in zip(times.diff(), p[:-1], p[1:], strict=True):  # e^(βt) itself would overflow
        whole = -torch.expm1(-beta * step)  # βp integrated over the step, p a straight line
        slope = (last - first) * (1 - whole / (beta * step))
        inner.append(torch.exp(-beta * step) * inner[-1] + whole * first + slope)
    return torch.stack(inner) / p


def without_predictor(W: Tensor, X_s: Tensor, X_d: Tensor, eta: float, t: float) -> Tensor:
    """W(t) = W(0) exp(-(X' + ηI)t), X' = X_s - X_d; the paper prints the factor on the left."""
    decay: Tensor = torch.linalg.matrix_exp(-t * (X_s - X_d + eta * torch.eye(len(X_s), dtype=X_s.dtype)))
    return W @ decay


def without_stop_gradient(W: Tensor, H: Tensor, t: float) -> Tensor:
    """W(t) of vec W(t) = exp(-Ht) vec W(0), for a W_p that is held fixed; W [D, D], H [D², D²]."""
    columns: Tensor = torch.linalg.matrix_exp(-t * H) @ W.T.flatten()
    return columns.view(W.shape).T


def hessian(W_p: Tensor, X_s: Tensor, X_d: Tensor, eta: float) -> Tensor:
    """H = X' ⊗ (W_pᵀW_p + I) + X_d ⊗ (W_p - I)ᵀ(W_p - I) + ηI, [D², D²] (Tian et al. 2021, on collapse)."""
    eye = torch.eye(len(W_p), dtype=W_p.dtype)
    off = W_p - eye
    H = torch.kron(X_s - X_d, W_p.T @ W_p + eye) + torch.kron(X_d, off.T @ off)
    return H + eta * torch.eye(len(H), dtype=H.dtype)


def best_predictor(W: Tensor, W_a: Tensor, X_s: Tensor, X_d: Tensor) -> Tensor:
    """W_p* = W_a X_d Wᵀ(W X_s Wᵀ)⁻¹: with it, W_a = W and a square W the encoder gets no signal."""
    best: Tensor = torch.linalg.solve(W @ X_s @ W.mT, W_a @ X_d @ W.mT, left=False)
    return best


def excess_risk(noise: float, features: int, labels: int) -> float:
    """Excess risk v r/(n - r - 1) of least squares on r isotropic Gaussian features with n > r + 1 labels.

    Args:
        noise: v, the variance of the labels' noise.
        features: r.
        labels: n.
    """
    return noise * features / (labels - features - 1) if labels > features + 1 else float("inf")


def equilibrium_rates(
    p: Tensor, lambda_s: float, eta: float, beta: float | None = None, *, kept: int, dim: int
) -> Tensor:
    """All rates at which the flow leaves or nears an equilibrium where W_p has `kept` eigenvalues p, the others 0.

    W has as many singular values p, α_p = 1, X_s = λ_s I, X_d = I; p is p₋ or p₊ of `roots`. Of the blocks of D x D
    matrices between kept directions the symmetric and the antisymmetric parts go apart; between a kept direction and a
    lost one there are two rates of 0. Derived here.

    Args:
        p: [].
        lambda_s: λ_s.
        eta: η.
        beta: rate of W_a; None for W_a = W.
        kept: r, from 0 to D.
        dim: D.

    Returns:
        Real parts [2 D²], or [3 D²] with `beta`, rising.
    """
    push, zero = p - 2 * lambda_s * p**2, torch.zeros_like(p)
    if beta is None:
        even, odd = [[-p, zero + 2 * eta], [push, zero]], [[-p, zero], [-p, zero]]
        mixed, lost = [zero, zero, zero - 2 * eta, -p], [zero - eta] * 2
    else:
        follows = [zero, zero + beta, zero - beta]
        even, odd = [[-p, push, p], [push, -p, p], follows], [[-p, -p, p], [-p, -p, p], follows]
        mixed, lost = [zero, zero, zero - 2 * eta, -p, zero - beta, -p - beta], [zero - eta, zero - eta, zero - beta]
    blocks = [torch.stack([torch.stack(row) for row in rows]) for rows in (even, odd)]
    of_even, of_odd = (torch.linalg.eigvals(block).real for block in blocks)
    parts = (
        of_even.repeat(kept * (kept + 1) // 2),
        of_odd.repeat(kept * (kept - 1) // 2),
        torch.stack(mixed).repeat(kept * (dim - kept)),
        torch.stack(lost).repeat((dim - kept) ** 2),
    )
    return torch.cat(parts).sort().values


def peira_eigenvalues(rho: Tensor, lam: float) -> Tensor:
    """Eigenvalues √ρ - λ of N where PEIRA's energy is least, and 0 where that is negative; ρ [d] <= 1 the correlations.

    In whitened canonical directions the energy is Σ -ρn/(2(n + λ)) + λn/2 with n the eigenvalues of N. Derived here.
    """
    return (rho.sqrt() - lam).clamp_min(0)
