"""Flows of whole matrices, without any assumption on eigenvectors.

    dW_p/dt = α_p(-W_p W X_s + W_a X_d)Wᵀ - ηW_p
    dW/dt   = W_pᵀ(-W_p W X_s + W_a X_d) - ηW            (Tian, Chen, Ganguli 2021, arXiv:2102.06810, Lemma 1)
    dW_a/dt = β(W - W_a)

of the loss ½E|W_p W x₁ - sg(W_a x₂)|² + η/2 |W|². Every function returns the derivative for `flow.advance`.

Shapes: N settings, D dimensions; states are [N, D, D], or [N, k, D, D] where a flow has k matrices.
"""

import torch
from torch import Tensor

from dcp.dynamics import rules
from dcp.dynamics.flow import Derivative
from dcp.dynamics.gaussian import Gaussian
from dcp.dynamics.rules import Rule


def signal(data: Gaussian, W: Tensor, W_p: Tensor, W_a: Tensor) -> Tensor:
    """-∂/∂W of ½E|W_p W x₁ - sg(W_a x₂)|²: what the encoder learns, without decay; [..., D, D]."""
    residual: Tensor = W_a @ data.X_d - W_p @ W @ data.X_s
    return W_p.mT @ residual


def set_by(data: Gaussian, rule: Rule, eta: Tensor, *, clean: bool = False) -> Derivative:
    """W with W_p set from F = W X Wᵀ and W_a = W; state W.

    Args:
        data: the distribution.
        rule: for W_p.
        eta: [N].
        clean: F of clean images (X_d) instead of views (X_s).
    """
    X = data.X_d if clean else data.X_s

    def derivative(W: Tensor) -> Tensor:
        W_p = rules.weights(rule, W @ X @ W.mT)
        return signal(data, W, W_p, W) - eta[:, None, None] * W

    return derivative


def learnt(data: Gaussian, eta: float, alpha_p: float, beta: float | None = None) -> Derivative:
    """W and W_p learnt; state (W, W_p), and W_a as the third with a moving average of rate `beta`, else W_a = W."""

    def derivative(state: Tensor) -> Tensor:
        W, W_p, *rest = state.unbind(1)
        W_a = rest[0] if rest else W
        residual = W_a @ data.X_d - W_p @ W @ data.X_s
        moved = [W_p.mT @ residual - eta * W, alpha_p * residual @ W.mT - eta * W_p]
        return torch.stack(moved if beta is None else [*moved, beta * (W - W_a)], 1)

    return derivative


def symmetrised(sigma2: float, eta: float, alpha_p: float, tau: float) -> Derivative:
    """The flow of Tian et al. 2021, Theorem 3, isotropic, and what they derive for L = [F, W_p]; state (F, W_p, L).

    dW_p/dt = -α_p(1+σ²)/2 {W_p, F} + α_p τF - ηW_p,   dF/dt = -(1+σ²){W_p², F} + τ{W_p, F} - 2ηF,   dL/dt = -LK - KL
    """

    def derivative(state: Tensor) -> Tensor:
        F, W_p, L = state.unbind(1)
        dW_p = -alpha_p * (1 + sigma2) / 2 * _both(W_p, F) + alpha_p * tau * F - eta * W_p
        dF = -(1 + sigma2) * _both(W_p @ W_p, F) + tau * _both(W_p, F) - 2 * eta * F
        return torch.stack([dF, dW_p, -_both(L, alignment_rate(F, W_p, sigma2, eta, alpha_p, tau))], 1)

    return derivative


def alignment_rate(F: Tensor, W_p: Tensor, sigma2: float, eta: float, alpha_p: float, tau: float) -> Tensor:
    """K = (1+σ²)(α_p F/2 + W_p²) - τW_p + 3η/2 I, [..., D, D]; where it is positive, F and W_p align."""
    eye = torch.eye(F.shape[-1], dtype=F.dtype)
    return (1 + sigma2) * (alpha_p * F / 2 + W_p @ W_p) - tau * W_p + 1.5 * eta * eye


def _both(A: Tensor, B: Tensor) -> Tensor:
    """{A, B} = AB + BA."""
    return A @ B + B @ A


def no_stop_gradient(data: Gaussian, eta: float, alpha_p: float) -> Derivative:
    """The gradient through both sides of ½E|W_p W x₁ - W x₂|²; state (W, W_p); α_p = 0 holds W_p fixed."""

    def derivative(state: Tensor) -> Tensor:
        W, W_p = state.unbind(1)
        forth = W @ data.X_d - W_p @ W @ data.X_s
        back = W_p @ W @ data.X_d - W @ data.X_s
        held = eta * W_p if alpha_p else torch.zeros_like(W_p)
        return torch.stack([W_p.mT @ forth + back - eta * W, alpha_p * forth @ W.mT - held], 1)

    return derivative


def no_predictor(data: Gaussian, eta: float) -> Derivative:
    """W_p = I and W_a = W behind the stop-gradient; state W."""

    def derivative(W: Tensor) -> Tensor:
        return W @ (data.X_d - data.X_s) - eta * W

    return derivative


def self_predictive(T: Tensor) -> Derivative:
    """dΦ/dt = -(ΦP - TΦ)Pᵀ with P = (ΦᵀΦ)⁻¹ΦᵀTΦ, the best predictor of each instant; state Φ [N, n, k].

    After Tang et al. 2022; the equations were derived here from notes on the paper.

    Args:
        T: [n, n].
    """

    def derivative(phi: Tensor) -> Tensor:
        P = torch.linalg.solve(phi.mT @ phi, phi.mT @ T @ phi)
        moved: Tensor = (T @ phi - phi @ P) @ P.mT
        return moved

    return derivative


def peira_energy(W: Tensor, K: Tensor, lam: float) -> Tensor:
    """E = -½ tr P + λ/2 E(|u|² + |v|²) of u = W x₁, v = W x₂; [N].

    N = 2 W Wᵀ, Σ = 2 W K Wᵀ, P = Σ(N + λI)⁻¹ (Arbel, Terver, Ponce 2026, arXiv:2605.17671; its text could not be read).

    Args:
        W: [N, D, d].
        K: E[x₁x₂ᵀ], symmetric [d, d], of views with E[xxᵀ] = I.
        lam: λ > 0.
    """
    N, Q = _regressor(W, lam)
    energy: Tensor = -torch.einsum("nij,nji->n", W @ K @ W.mT, Q) + lam / 2 * N.diagonal(dim1=1, dim2=2).sum(1)
    return energy


def peira(K: Tensor, lam: float) -> Derivative:
    """dW/dt = -∂E/∂W of `peira_energy`, in the form that PEIRA computes it: P and Q held fixed; state W [N, D, d]."""

    def derivative(W: Tensor) -> Tensor:
        _, Q = _regressor(W, lam)
        P = 2 * W @ K @ W.mT @ Q
        return 2 * Q @ W @ K - (Q @ P + P.mT @ Q) @ W - 2 * lam * W

    return derivative


def _regressor(W: Tensor, lam: float) -> tuple[Tensor, Tensor]:
    """N and Q = (N + λI)⁻¹, both [N, D, D]."""
    N = 2 * W @ W.mT
    return N, torch.linalg.inv(N + lam * torch.eye(N.shape[-1], dtype=N.dtype))
