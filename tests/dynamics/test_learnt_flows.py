"""Learnt linear predictors (Tian, Chen, Ganguli 2021), and what collapses without one or without stop-gradient."""

import math

import pytest
import torch

from dcp.dynamics import closed_forms, flow, matrices, modes
from dcp.dynamics.gaussian import gaussian

SIGMA2, ETA, ALPHA_P = 0.5, 0.1, 2.0
HIGH = 0.5441518  # p₊
LOW = 2 / 3 - HIGH  # the roots add up to τ/(1+σ²)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def learnt(beta: float | None = None) -> flow.Derivative:
    of = (torch.full((1,), v, dtype=torch.float64) for v in (SIGMA2, ETA, ALPHA_P))
    return modes.learnt(*of, None if beta is None else torch.full((1,), beta).double())


def on_parabola(p: float, tau: float = 1.0) -> torch.Tensor:
    return torch.tensor([[p, p * p / ALPHA_P, tau]], dtype=torch.float64)


@pytest.mark.parametrize("beta", [None, 0.7])
def test_W_and_W_p_balance_at_the_rate_of_the_decay_with_a_moving_average_too(beta: float | None) -> None:
    start = random(1, 2 if beta is None else 3, 4, 4) / 2
    end = flow.advance(matrices.learnt(gaussian(4, 2, SIGMA2), ETA, ALPHA_P, beta), start, 3.0)
    first, last = (state[0, 0] @ state[0, 0].T - state[0, 1].T @ state[0, 1] / ALPHA_P for state in (start, end))
    torch.testing.assert_close(last, math.exp(-2 * ETA * 3.0) * first, rtol=0, atol=1e-7)


def test_whole_random_matrices_end_on_the_stable_point() -> None:
    start = torch.eye(4).double() + 0.3 * random(1, 2, 4, 4, seed=1)
    W, W_p = flow.advance(matrices.learnt(gaussian(4, 0, SIGMA2), ETA, ALPHA_P), start, 2000.0, rest=1e-8)[0]
    assert torch.linalg.eigvals(W_p).real == pytest.approx([HIGH] * 4, abs=1e-5)
    assert torch.linalg.eigvalsh(W @ W.T) == pytest.approx([0.1480506] * 4, abs=1e-5)


def test_a_mode_ends_on_p_plus_and_the_parabola() -> None:
    p, s, _ = flow.advance(learnt(), torch.tensor([[0.4, 1.0, 1.0]]).double(), 3000.0, rest=1e-8)[0]
    assert float(p) == pytest.approx(HIGH, abs=1e-6)
    assert float(s) == pytest.approx(HIGH**2 / ALPHA_P, abs=1e-6)


def test_one_per_cent_around_p_minus_decide() -> None:
    up, down = (flow.advance(learnt(), on_parabola(LOW * x), 1500.0)[0, 0] for x in (1.01, 0.99))
    assert float(up) == pytest.approx(HIGH, abs=1e-6)
    assert float(down) < 1e-6


def test_more_decay_and_a_smaller_tau_widen_the_basin_of_collapse() -> None:
    of = torch.tensor([[1.0, 0.05], [1.0, 0.1], [0.9, 0.1]], dtype=torch.float64)  # τ and η
    low, _ = closed_forms.roots(torch.full((3,), 1 + SIGMA2).double(), of[:, 0], of[:, 1])
    assert (low.diff() > 0).all()


def test_DirectSet_with_the_root_moves_on_this_parabola() -> None:
    """α_p = 1 and F of clean images: w_p = w², w = s^(1/2)."""
    from dcp.dynamics import rules

    one, times = torch.ones(1, 1).double(), torch.linspace(0, 5, 6).double()
    of = modes.Modes(one * (1 + SIGMA2), one, one * ETA, one)
    w = flow.course(modes.squared(of, rules.rule(torch.tensor([0.5]).double())), 0.4 * one, times, tol=1e-11)
    alone = modes.learnt(*(torch.full((1,), v).double() for v in (SIGMA2, ETA, 1.0)))
    path = flow.course(alone, torch.tensor([[0.4, 0.16, 1.0]]).double(), times, tol=1e-11)
    torch.testing.assert_close(w[:, 0, 0], path[:, 0, 0], rtol=0, atol=1e-8)


def test_the_ratio_of_a_moving_average_is_its_integral() -> None:
    times = torch.linspace(0, 6, 601, dtype=torch.float64)
    path = flow.course(learnt(beta=0.5), on_parabola(0.8, tau=0.0), times, tol=1e-7)[:, 0]
    torch.testing.assert_close(path[:, 2], closed_forms.ema_ratio(times, path[:, 0], 0.5), rtol=0, atol=1e-5)


def test_the_commutator_obeys_its_own_equation_and_shrinks_at_least_as_promised() -> None:
    F, W_p = random(2, 4, 4) @ random(2, 4, 4).mT / 4
    start = torch.stack([F, W_p, F @ W_p - W_p @ F])[None]
    eta = 0.6
    F, W_p, L = flow.advance(matrices.symmetrised(SIGMA2, eta, ALPHA_P, 1.0), start, 3.0, tol=1e-11)[0]
    torch.testing.assert_close(F @ W_p - W_p @ F, L, rtol=0, atol=1e-9)
    # K ≥ 3η/2 - τ²/(4(1+σ²)) whatever F and W_p
    least = 1.5 * eta - 1 / (4 * (1 + SIGMA2))
    assert least > 0
    assert float(L.norm()) <= math.exp(-2 * least * 3.0) * float(start[0, 2].norm())


def test_without_stop_gradient_H_is_above_the_decay_and_with_a_learnt_predictor_W_only_shrinks() -> None:
    data, start = gaussian(3, 1, SIGMA2), random(1, 2, 3, 3)
    H = closed_forms.hessian(start[0, 1], data.X_s, data.X_d, ETA)
    assert float(torch.linalg.eigvalsh(H)[0]) > ETA - 1e-12
    path = flow.course(matrices.no_stop_gradient(data, ETA, ALPHA_P), start, torch.linspace(0, 30, 61).double())
    lengths = path[:, 0, 0].norm(dim=(1, 2))
    assert (lengths.diff() < 0).all()
    assert float(lengths[-1]) < math.exp(-ETA * 30) * float(lengths[0])


def test_the_best_predictor_leaves_a_square_encoder_no_signal_and_a_flat_one_some() -> None:
    data = gaussian(4, 2, 1.0, torch.Generator().manual_seed(0))

    def signal(W: torch.Tensor) -> float:
        return float(matrices.signal(data, W, closed_forms.best_predictor(W, W, data.X_s, data.X_d), W).abs().max())

    assert signal(random(4, 4)) < 1e-12
    assert signal(random(2, 4)) > 1e-2


def test_without_decay_s_above_the_parabola_escapes_collapse_and_a_start_far_below_need_not() -> None:
    """η = 0: s > p²/α_p suffices; the fixed points are the lines s = 0 and p = τ/(1+σ²)."""
    free = modes.learnt(*(torch.full((2,), v, dtype=torch.float64) for v in (SIGMA2, 0.0, ALPHA_P)))
    start = torch.tensor([[1e-2, 1e-2, 1.0], [1.5, 1e-2, 1.0]], dtype=torch.float64)
    above, below = flow.advance(free, start, 100.0)
    assert float(above[0]) == pytest.approx(1 / (1 + SIGMA2), abs=1e-6)
    assert float(above[1]) > 0.1
    assert float(below[1]) < 1e-3


def test_the_largest_and_smallest_rates_of_a_moving_average_stay_finite() -> None:
    times = torch.linspace(0, 200, 1001, dtype=torch.float64)
    p = torch.full_like(times, 0.5)
    for beta in (1e-3, 1.0, 100.0):  # of a constant p the integral is exact: 1 - e^(-βt)
        torch.testing.assert_close(
            closed_forms.ema_ratio(times, p, beta), -torch.expm1(-beta * times), rtol=0, atol=1e-9
        )


def test_the_fixed_W_p_for_a_given_F_is_symmetric_and_commutes_with_it() -> None:
    """W_p = τF((1+σ²)F + (η/α_p)I)⁻¹, W_a = τW, of the flow that is not symmetrised."""
    W, tau = random(4, 4), 0.7
    F, eye, data = W @ W.T, torch.eye(4).double(), gaussian(4, 0, SIGMA2)
    W_p = torch.linalg.solve((1 + SIGMA2) * F + ETA / ALPHA_P * eye, tau * F)
    state = torch.stack([W, W_p, tau * W])[None]
    moved = matrices.learnt(data, ETA, ALPHA_P, 0.0)(state)[0, 1]
    torch.testing.assert_close(moved, torch.zeros(4, 4).double(), rtol=0, atol=1e-12)
    torch.testing.assert_close(W_p, W_p.T, rtol=0, atol=1e-10)


def test_a_flat_encoder_has_no_signal_either_where_all_directions_are_alike() -> None:
    data, W = gaussian(6, 0, SIGMA2), random(3, 6)  # no S: both moments are multiples of I
    assert float(matrices.signal(data, W, closed_forms.best_predictor(W, W, data.X_s, data.X_d), W).abs().max()) < 1e-14


@pytest.mark.parametrize("p", [0.05, 0.2, 0.4, 0.6])
def test_on_the_parabola_a_mode_stays_aligned_while_its_growth_is_below_half_of_alpha_p_s_and_decay(p: float) -> None:
    """Δ = p(τ - (1+σ²)p) - η < (α_p(1+σ²)s + η)/2 is λ(K) > 0."""
    for alpha_p in (0.1, ALPHA_P, 20.0):
        s = p * p / alpha_p
        growth = p * (1 - (1 + SIGMA2) * p) - ETA
        of = (torch.full((1,), v, dtype=torch.float64) for v in (SIGMA2, ETA, alpha_p))
        speed = modes.learnt(*of)(torch.tensor([[p, s, 1.0]]).double())[0, 0]
        assert float(speed) == pytest.approx(p * growth)  # a mode grows iff Δ > 0
        F, W_p = (torch.full((1, 1), v, dtype=torch.float64) for v in (s, p))
        rate = float(matrices.alignment_rate(F, W_p, SIGMA2, ETA, alpha_p, 1.0))
        assert rate == pytest.approx((alpha_p * (1 + SIGMA2) * s + ETA) / 2 - growth)
