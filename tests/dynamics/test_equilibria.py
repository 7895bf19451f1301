"""Equilibria of stop-gradient, of a moving average and of PEIRA with a linear encoder."""

import pytest
import torch

from dcp.dynamics import closed_forms, flow, matrices
from dcp.dynamics.experiments import collapse, equilibria, peira
from dcp.dynamics.gaussian import gaussian

SIGMA2, ETA, BETA, D = 0.5, 0.1, 0.3, 4


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def point(p: float, kept: int, copies: int, seed: int = 0) -> torch.Tensor:
    """W_p = p U Uᵀ, W = p U Vᵀ (and W_a = W) with `kept` random orthonormal columns in U and in V."""
    U, V = (torch.linalg.qr(random(D, D, seed=seed + i))[0][:, :kept] for i in range(2))
    return torch.stack([p * U @ V.T, p * U @ U.T, p * U @ V.T][:copies])


@pytest.mark.parametrize("beta", [None, BETA])
@pytest.mark.parametrize("kept", range(D + 1))
@pytest.mark.parametrize("which", [0, 1])
def test_every_point_of_the_variety_is_at_rest_with_all_rates_of_the_closed_form(
    beta: float | None, kept: int, which: int
) -> None:
    p = closed_forms.roots(*(torch.tensor(v, dtype=torch.float64) for v in (1 + SIGMA2, 1.0, ETA)))[which]
    derivative = matrices.learnt(gaussian(D, 0, SIGMA2), ETA, 1.0, beta)
    state = point(float(p), kept, 2 if beta is None else 3)
    assert float(flow.speed(derivative, state[None])[0]) < 1e-12
    closed = closed_forms.equilibrium_rates(p, 1 + SIGMA2, ETA, beta, kept=kept, dim=D)
    torch.testing.assert_close(equilibria.rates(derivative, state), closed, rtol=0, atol=1e-6)
    if kept:
        assert (closed.max() > 0.01) == (which == 0)  # p₋ is a saddle; at p₊ nothing grows
        flat = int((closed.abs() < 1e-9).sum())
        assert flat == kept * (kept - 1) // 2 + 2 * kept * (D - kept)


def test_more_decay_than_any_equilibrium_bears_is_refused() -> None:
    with pytest.raises(ValueError, match="all collapses"):
        equilibria.Config(sigma2=1.0, eta=0.125)


def correlations(rho: list[float]) -> torch.Tensor:
    V = torch.linalg.qr(random(len(rho), len(rho), seed=3))[0]
    return (V * torch.tensor(rho, dtype=torch.float64)) @ V.T


def test_PEIRAs_flow_goes_down_the_gradient_of_its_energy() -> None:
    K, W = correlations([0.9, 0.5, 0.2]), random(1, 5, 3).requires_grad_()
    (gradient,) = torch.autograd.grad(matrices.peira_energy(W, K, 0.7).sum(), W)
    torch.testing.assert_close(matrices.peira(K, 0.7)(W.detach()), -gradient)


def test_the_energy_is_that_of_samples() -> None:
    generator = torch.Generator().manual_seed(0)
    x1, x2 = torch.randn(2, 50, 3, generator=generator, dtype=torch.float64)
    both = torch.cat([x1, x2])
    whitening = torch.linalg.inv(torch.linalg.cholesky(both.T @ both / 100)).T
    x1, x2 = x1 @ whitening, x2 @ whitening
    K, W, lam = (x1.T @ x2 + x2.T @ x1) / 100, random(4, 3, seed=5), 0.6
    u, v = x1 @ W.T, x2 @ W.T
    N, Sigma = (u.T @ u + v.T @ v) / 50, (u.T @ v + v.T @ u) / 50
    P = Sigma @ torch.linalg.inv(N + lam * torch.eye(4, dtype=torch.float64))
    expected = -P.trace() / 2 + lam / 2 * (u.square().sum(1) + v.square().sum(1)).mean()
    torch.testing.assert_close(matrices.peira_energy(W[None], K, lam)[0], expected)


@pytest.mark.parametrize(("dim", "lam", "kept"), [(2, 0.7, 2), (6, 0.7, 3), (6, 0.9, 1), (6, 0.98, 0)])
def test_PEIRA_keeps_the_leading_directions_that_lambda_and_D_allow(dim: int, lam: float, kept: int) -> None:
    config = peira.Config(dim=dim, lam=lam, time=1500.0)
    of_N = [row for row in peira.run(config, 1).rows if row.quantity == "eigenvalue of N"]
    assert [row.simulated > 1e-3 for row in of_N] == [True] * kept + [False] * (5 - kept)
    assert max(abs(row.difference) for row in of_N) < 1e-6


def test_what_has_no_closed_form_is_refused() -> None:
    with pytest.raises(ValueError, match="must be less than images = 16"):
        collapse.Config(images=16, dim=16)
    with pytest.raises(ValueError, match="which is kept is chance"):
        peira.Config(rho=(0.9, 0.9, 0.2), dim=1)
    assert peira.Config(rho=(0.9, 0.1, 0.1), dim=2).dim == 2  # both below λ²: none of them is kept
