"""PEIRA beside a computation that shares nothing with it but the formula, its energy, and its fixed point."""

from functools import partial

import numpy as np
import pytest
import torch
from by_hand import Array, draws, gradients
from torch import Tensor

from dcp.method.moments import Moments, own
from dcp.method.objectives import peira
from dcp.method.objectives.base import Loss, Setting, alone
from dcp.method.predictors import identity
from dcp.recipe.recipe import Recipe

N, D, RIDGE = 6, 4, 0.7
EXACT = {"rtol": 1e-10, "atol": 1e-12}
PAST = 1.5 * draws(9, D, seed=4), draws(9, D, seed=5)  # of which the moments come that are there already
TIMES = pytest.mark.parametrize("size", [0.1, 1.0, 5.0])


def kept(rho: float) -> Moments:
    """Moments with a past."""
    moments = Moments(D, rho=rho, cross=True).double()
    moments.store(moments.blend(moments.now, *map(torch.tensor, PAST)))
    return moments


def built(moments: Moments, ridge: float = RIDGE) -> Loss:
    predictor = identity.build(identity.Config(), D, own)
    return partial(peira.loss_of_views, Setting(predictor, moments, alone), peira.Config(ridge=ridge))


def statistics(Z: Array, globals_: int) -> tuple[Array, Array]:
    """E[z zᵀ] over all views and E[t zᵀ] over all pairs of a view and a global one, weighted as views are."""
    V, F, C = len(Z), 0, 0
    for i in range(V):
        others = [j for j in range(globals_) if j != i]
        for n in range(len(Z[0])):
            F = F + np.outer(Z[i][n], Z[i][n]) / (V * len(Z[0]))
            for j in others:
                C = C + np.outer(Z[j][n], Z[i][n]) / (V * len(others) * len(Z[0]))
    return F, C


def by_formula(*Z: Array, P: Array, Q: Array, globals_: int) -> complex:
    """L with P and Q held fixed: over two views ½ E[uᵀQ(Pu - v) + vᵀQ(Pv - u)] + λ/2 E[|u|² + |v|²]."""
    total, V = 0, len(Z)
    for i in range(V):
        others = [j for j in range(globals_) if j != i]
        for n in range(len(Z[0])):
            z = Z[i][n]
            total += sum(z @ Q @ (P @ z - Z[j][n]) / len(others) for j in others) + RIDGE * z @ z
    return total / (V * len(Z[0]))


def by_energy(*Z: Array, globals_: int) -> complex:
    F, C = statistics(Z, globals_)
    P = (C + C.T) @ np.linalg.inv(2 * F + RIDGE * np.eye(D))
    return RIDGE * np.trace(F) - np.trace(P) / 2


def loss_and_slopes(loss: Loss, Z: list[Array], globals_: int) -> tuple[Tensor, list[Array]]:
    z = torch.tensor(np.stack(Z)).requires_grad_()
    losses = loss(z, z, z[:globals_])
    assert losses.shape == (N,)
    return losses.mean(), [*torch.autograd.grad(losses.mean(), z)[0].numpy()]


@pytest.mark.parametrize(("views", "globals_"), [(2, 2), (4, 4), (8, 8), (4, 2)])
@TIMES
def test_loss_and_gradient_are_those_of_the_formula_with_running_moments(views: int, globals_: int, size: float):
    Z, rho = [size * draws(N, D, seed=seed) for seed in range(views)], 0.3
    past = PAST[0].T @ PAST[0] / 9, PAST[1].T @ PAST[0] / 9
    F, C = (rho * old + (1 - rho) * new for old, new in zip(past, statistics(Z, globals_), strict=True))
    Q = np.linalg.inv(2 * F + RIDGE * np.eye(D))
    formula = partial(by_formula, P=(C + C.T) @ Q, Q=Q, globals_=globals_)
    value, slopes = loss_and_slopes(built(kept(rho)), Z, globals_)
    np.testing.assert_allclose(value.item(), formula(*Z), **EXACT)
    np.testing.assert_allclose(slopes, gradients(formula, *Z), **EXACT)


def test_with_two_views_it_is_the_published_loss():
    u, v = draws(N, D, seed=0), draws(N, D, seed=1)
    S = sum(np.outer(b, a) + np.outer(a, b) for a, b in zip(u, v, strict=True)) / N
    Q = np.linalg.inv(sum(np.outer(a, a) + np.outer(b, b) for a, b in zip(u, v, strict=True)) / N + RIDGE * np.eye(D))
    P = S @ Q
    fits = sum(a @ Q @ (P @ a - b) + b @ Q @ (P @ b - a) for a, b in zip(u, v, strict=True)) / (2 * N)
    value, _ = loss_and_slopes(built(Moments(D, rho=0.0, cross=True)), [u, v], 2)
    np.testing.assert_allclose(value.item(), fits + RIDGE / 2 * ((u**2).sum() + (v**2).sum()) / N, **EXACT)


@pytest.mark.parametrize(("views", "globals_"), [(2, 2), (4, 4), (4, 2)])
@TIMES
def test_its_gradient_is_that_of_the_energy_where_the_moments_are_those_of_the_batch(views, globals_, size: float):
    Z = [size * draws(N, D, seed=seed) for seed in range(views)]
    _, slopes = loss_and_slopes(built(kept(rho=0.0)), Z, globals_)
    np.testing.assert_allclose(slopes, gradients(partial(by_energy, globals_=globals_), *Z), **EXACT)


def test_the_energy_is_that_of_the_moments():
    Z = [draws(N, D, seed=seed) for seed in range(2)]
    moments = Moments(D, rho=0.5, cross=True).double()
    z = torch.tensor(np.concatenate(Z))
    moments.store(moments.blend(moments.now, z, torch.tensor(np.concatenate(Z[::-1]))))
    shown = peira.numbers(peira.Config(ridge=RIDGE), moments)
    np.testing.assert_allclose(shown["energy"].item(), by_energy(*Z, globals_=2), **EXACT)


def test_a_linear_encoder_ends_at_the_canonical_correlations_that_exceed_the_square_of_the_ridge():
    """E[xxᵀ] = E[yyᵀ] = I, E[yxᵀ] = diag r: F's eigenvalues become (√r - λ)/2, or 0; L 0; E -½ Σ (√r - λ)²."""
    r, ridge, count = torch.tensor([0.9, 0.6, 0.16], dtype=torch.float64), 0.5, 12
    q, _ = torch.linalg.qr(torch.tensor(draws(count, 6, seed=0)))
    x = count**0.5 * q[:, :3]
    y = x * r + count**0.5 * q[:, 3:] * (1 - r.square()).sqrt()
    moments = Moments(D, rho=0.0, cross=True).double()
    loss, W = built(moments, ridge), torch.tensor(0.5 * draws(D, 3, seed=1)).requires_grad_()
    for _ in range(3000):
        z = torch.stack([x @ W.T, y @ W.T])
        value = loss(z, z, z).mean()
        (slope,) = torch.autograd.grad(value, W)
        W.data -= 0.5 * slope
    moments.store(moments.blend(moments.now, z.detach().flatten(0, 1), z.detach().flip(0).flatten(0, 1)))
    gained = (r.sqrt() - ridge).clamp_min(0)
    wanted = torch.cat([gained / 2, gained.new_zeros(1)])
    torch.testing.assert_close(torch.linalg.eigvalsh(moments.F).flip(0), wanted, atol=1e-8, rtol=0)
    assert abs(value.item()) < 1e-10
    energy = peira.energy(moments.second, moments.cross, ridge)
    torch.testing.assert_close(energy, -gained.square().sum() / 2, atol=1e-10, rtol=0)


def test_where_rounding_leaves_no_factor_there_is_no_number_either():
    F = torch.eye(3)
    F[0, 0] = -1.0  # as rounding may leave it where λ is far below F's largest eigenvalue
    assert torch.isnan(peira.energy(F, torch.eye(3), ridge=1e-3))
    assert torch.isfinite(peira.energy(F.abs(), torch.eye(3), ridge=1e-3))


def test_it_asks_for_C_and_no_other_objective_changes_what_is_kept():
    from dcp.recipe import build

    for name, keeps in (("peira", True), ("vicreg", False), ("regression", True)):
        assert build.method(Recipe.read(f"tiny/{name}")).moments.keeps_cross == keeps
