"""The integrator against exact solutions, and rules of training mapped over settings."""

import pytest
import torch

from dcp.dynamics import flow, rules
from dcp.method.predictors import directcopy, directset


def test_each_setting_follows_its_own_exact_solution() -> None:
    rates = torch.tensor([0.1, 1.0, 30.0], dtype=torch.float64)
    end = flow.advance(lambda y: -rates[:, None] * y, torch.ones(3, 2, dtype=torch.float64), 2.0, tol=1e-11)
    torch.testing.assert_close(end[:, 0], torch.exp(-2 * rates), rtol=0, atol=1e-9)


def test_settings_may_have_times_of_their_own() -> None:
    times = torch.tensor([0.0, 0.5, 3.0], dtype=torch.float64)
    end = flow.advance(lambda y: -(y**2), torch.ones(3, 1, dtype=torch.float64), times, tol=1e-11)
    torch.testing.assert_close(end[:, 0], 1 / (1 + times), rtol=0, atol=1e-9)


def test_a_course_passes_the_times_asked_for() -> None:
    times = torch.linspace(0, 6, 7, dtype=torch.float64)
    start = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    path = flow.course(lambda y: torch.stack([y[:, 1], -y[:, 0]], 1), start, times, tol=1e-11)
    torch.testing.assert_close(path[:, 0, 0], times.cos(), rtol=0, atol=1e-8)


def test_what_is_at_rest_ends_early() -> None:
    calls = []

    def derivative(y: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return -y

    flow.advance(derivative, torch.ones(1, 1, dtype=torch.float64), 1e6, rest=1e-6)
    assert len(calls) < 2000


def test_an_explosion_is_an_error_and_no_number() -> None:
    with pytest.raises(ArithmeticError, match="steps"):
        flow.advance(lambda y: y**2, torch.ones(1, 1, dtype=torch.float64), 2.0)


def test_a_boundary_is_found_to_half_the_last_bracket() -> None:
    true = torch.tensor([0.1234, 0.9], dtype=torch.float64)
    found = flow.boundary(lambda x: x < true, torch.zeros(2).double(), torch.ones(2).double(), halvings=10)
    assert ((found - true).abs() <= 2**-11).all()


@pytest.mark.parametrize("place", ["outside", "inside"])
def test_modes_are_the_weights_of_training(place: str) -> None:
    f = torch.rand(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.1
    alpha = torch.tensor([1.0, 0.5, 2.0, 0.7, 1.0], dtype=torch.float64)
    eps = torch.tensor([0.0, 0.1, 0.2, 0.0, 0.3], dtype=torch.float64)
    found = rules.modes(rules.rule(alpha, eps, place), f)
    for i in range(5):
        W = directset.weight(torch.diag(f[i]), alpha=float(alpha[i]), eps=float(eps[i]), norm="none", eps_place=place)
        torch.testing.assert_close(found[i], W.diagonal(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("alpha", [1.0, 0.5])
def test_many_matrices_at_once_are_the_weights_of_each(alpha: float) -> None:
    Z = torch.randn(3, 20, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    F = Z.mT @ Z / 20
    found = rules.weights(rules.rule(torch.full((3,), alpha).double(), 0.2), F)
    for i in range(3):
        one = directcopy.weight(F[i], eps=0.2, norm="none") if alpha == 1 else directset.weight(
            F[i], alpha=alpha, eps=0.2, norm="none"
        )  # fmt: skip
        torch.testing.assert_close(found[i], one, rtol=0, atol=1e-12)
