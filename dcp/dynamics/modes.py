"""Flows of modes: where all matrices share eigenvectors, each direction is a number w and a number w_p.

    λ_s, λ_d   eigenvalues of X_s and X_d           η   weight decay: with t = lr · steps that of PyTorch's SGD

Every function returns the derivative for `flow.advance`. Equations of set predictors are derived here; those of learnt
ones are of Tian, Chen, Ganguli 2021, arXiv:2102.06810, section 3.

Shapes: N settings, M modes; parameters are [N, M] or broadcast to it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from dcp.dynamics import rules
from dcp.dynamics.flow import Derivative
from dcp.dynamics.rules import Rule


@dataclass(frozen=True)
class Modes:
    """What a mode sees of the data and the decay."""

    lambda_s: Tensor  # eigenvalue of X_s
    lambda_d: Tensor  # eigenvalue of X_d
    eta: Tensor  # weight decay
    phi: Tensor  # F = φ w²: λ_s if F is measured on views, λ_d if on clean images


def squared(modes: Modes, rule: Rule) -> Derivative:
    """dw/dt = w(λ_d w_p - λ_s w_p² - η), w_p = (φw²)^α: the squared loss; state w [N, M]."""
    return deep(modes, rule, 1)


def deep(modes: Modes, rule: Rule, layers: int | Tensor) -> Derivative:
    """du/dt = u^(L-1) w (λ_d w_p - λ_s w_p²) - ηu, w = u^L: L balanced layers, for all or [N, 1]; state u [N, M]."""

    def derivative(u: Tensor) -> Tensor:
        w = u**layers
        p = rules.modes(rule, modes.phi * w**2)
        return u ** (layers - 1) * w * (modes.lambda_d * p - modes.lambda_s * p**2) - modes.eta * u

    return derivative


def cosine(modes: Modes, rule: Rule) -> Derivative:
    """dw/dt = w(λ_d w_p - λ_s w_p² C/N_p)/√(N_p N_z) - ηw: the cosine loss, norms replaced by their means.

    N_p = Σ w_p² λ_s w², N_z = Σ λ_s w², C = Σ w_p λ_d w²; state w [N, M]. A mean field: in finite dimensions it is
    some per cent off the gradients of samples.
    """

    def derivative(w: Tensor) -> Tensor:
        p = rules.modes(rule, modes.phi * w**2)
        N_p = (p**2 * modes.lambda_s * w**2).sum(1, keepdim=True)
        N_z = (modes.lambda_s * w**2).sum(1, keepdim=True)
        C = (p * modes.lambda_d * w**2).sum(1, keepdim=True)
        return w * (modes.lambda_d * p - modes.lambda_s * p**2 * C / N_p) / (N_p * N_z).sqrt() - modes.eta * w

    return derivative


def learnt(sigma2: Tensor, eta: Tensor, alpha_p: Tensor, beta: Tensor | None = None) -> Derivative:
    """Tian et al. 2021, the decoupled modes of a learnt linear predictor; state (p, s, τ) [N, 3].

    dp/dt = α_p s(τ - (1+σ²)p) - ηp,   ds/dt = 2ps(τ - (1+σ²)p) - 2ηs,   dτ/dt = β(1-τ) - τ/(2s) ds/dt

    Args:
        sigma2: σ², [N].
        eta: [N].
        alpha_p: learning rate of the predictor over that of the encoder, [N].
        beta: rate of the moving average, [N]; without it τ stays what it is.
    """

    def derivative(state: Tensor) -> Tensor:
        p, s, tau = state.unbind(1)
        pull = tau - (1 + sigma2) * p
        dp, rate = alpha_p * s * pull - eta * p, 2 * p * pull - 2 * eta
        dtau = torch.zeros_like(tau) if beta is None else beta * (1 - tau) - tau * rate / 2
        return torch.stack([dp, s * rate, dtau], 1)

    return derivative


def learnt_cosine(sigma2: Tensor, eta: Tensor, norms: Tensor | None = None) -> Derivative:
    """dp/dt = p²(1 - (1+σ²)p C/N_p)/√(N_p N_z) - ηp: a learnt predictor on the parabola s = p² under the cosine loss.

    Derived here after the idea of Bao 2023; state p [N, M].

    Args:
        sigma2: σ², [N, 1].
        eta: [N, 1].
        norms: (C/N_p, √(N_p N_z)) [N, 2] that are held fixed; without them they follow p.
    """

    def derivative(p: Tensor) -> Tensor:
        ratio, size = parabola_norms(p, sigma2) if norms is None else (norms[:, :1], norms[:, 1:])
        return p**2 * (1 - (1 + sigma2) * p * ratio) / size - eta * p

    return derivative


def parabola_norms(p: Tensor, sigma2: Tensor) -> tuple[Tensor, Tensor]:
    """C/N_p and √(N_p N_z), [N, 1], of modes p [N, M] with s = p²."""
    N_z, N_p = ((1 + sigma2) * (p**n).sum(1, keepdim=True) for n in (2, 4))
    return (p**3).sum(1, keepdim=True) / N_p, (N_p * N_z).sqrt()
