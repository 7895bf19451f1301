"""Predictors that are set, squared loss: which features survive. Numbers by hand from the quadratic for w_p."""

import math

import pytest
import torch
from torch import Tensor

from dcp.dynamics import closed_forms, flow, matrices, modes, rules
from dcp.dynamics.gaussian import gaussian


def many(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def ends(
    start: Tensor,
    lambda_s: Tensor,
    lambda_d: Tensor,
    eta: Tensor,
    alpha: Tensor,
    *,
    eps: float | Tensor = 0.0,
    place: str = "outside",
    phi: Tensor | None = None,
    time: float = 3000.0,
) -> Tensor:
    """Where modes end, w [N]."""
    phi = lambda_s if phi is None else phi
    of = modes.Modes(*(each.expand(len(start))[:, None] for each in (lambda_s, lambda_d, eta, phi)))
    by = rules.rule(alpha.expand(len(start)).contiguous(), eps, place)
    return flow.advance(modes.squared(of, by), start[:, None], time, tol=1e-10, rest=1e-9)[:, 0]


ONE = many(1.0)


def test_between_the_thresholds_W_becomes_a_projector_on_S_whatever_its_direction() -> None:
    data = gaussian(5, 2, 1.0, torch.Generator().manual_seed(3))
    alpha, eta = many(1.0, 0.5, 2.0), many(0.2, 0.2, 0.2)
    start = torch.eye(5, dtype=torch.float64).expand(3, -1, -1)
    W = flow.advance(matrices.set_by(data, rules.rule(alpha), eta), start, 500.0, tol=1e-8, rest=1e-9)
    for one, size in zip(W, (0.8506508, 0.7236068, 0.9223073), strict=True):
        torch.testing.assert_close(one, size * data.P, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("alpha", "smallest"), [(1.0, 0.5257311), (0.5, 0.2763932), (2.0, 0.7250731)])
def test_two_per_cent_around_the_smallest_start_decide(alpha: float, smallest: float) -> None:
    found = ends(smallest * many(1.02, 0.98), ONE, ONE, many(0.2), many(alpha))
    assert float(found[0]) == pytest.approx(((1 + math.sqrt(0.2)) / 2) ** (1 / (2 * alpha)), abs=1e-8)
    assert float(found[1]) < 1e-6
    assert float(closed_forms.smallest_start(ONE, ONE, many(0.2), many(alpha), ONE)) == pytest.approx(
        smallest, abs=1e-7
    )


def test_noise_survives_little_decay_and_nothing_survives_much() -> None:
    lambda_s = many(1.0, 1.0, 2.0, 2.0)
    found = ends(many(1.0).expand(4), lambda_s, ONE, many(0.1), many(1.0, 0.5, 1.0, 0.5))
    torch.testing.assert_close(found, many(0.9419651, 0.8872983, 0.4253254, 0.2558336), rtol=0, atol=1e-6)
    clean = ends(many(1.0, 1.0), many(2.0), ONE, many(0.1), many(1.0, 0.5), phi=ONE)
    torch.testing.assert_close(clean, many(0.6015010, 0.3618034), rtol=0, atol=1e-6)
    assert float(ends(many(1.0, 1.0), many(1.0, 2.0), ONE, many(0.26), ONE).max()) < 1e-6


def test_any_spectrum_has_its_threshold() -> None:
    lambda_d, lambda_s = many(2.0, 0.5, 2.0, 0.5), many(3.0, 0.5, 3.0, 0.5)
    threshold = closed_forms.threshold(lambda_s, lambda_d)
    torch.testing.assert_close(threshold, many(1 / 3, 0.125, 1 / 3, 0.125))
    eta = threshold * many(0.9, 0.9, 1.1, 1.1)
    found = ends(many(1.5).expand(4), lambda_s, lambda_d, eta, ONE)
    torch.testing.assert_close(found, many(0.3824232, 1.1472697, 0.0, 0.0), rtol=0, atol=1e-6)


def test_eps_moves_features_away_from_the_origin_or_kills_them() -> None:
    eps = many(0.1, 0.3, 0.9)
    small, large = (ends(many(w).expand(3), ONE, ONE, many(0.15), ONE, eps=eps) ** 2 for w in (1e-3, 1.0))
    torch.testing.assert_close(small, many(0.0, 0.5162278, 0.0), rtol=0, atol=1e-7)
    torch.testing.assert_close(large, many(0.7162278, 0.5162278, 0.0), rtol=0, atol=1e-7)


@pytest.mark.parametrize(("place", "expected"), [("outside", (0.0, 0.2664911)), ("inside", (0.5662278, 0.3662278))])
def test_inside_the_root_a_smaller_eps_is_enough(place: str, expected: tuple[float, float]) -> None:
    found = ends(many(1e-3, 1e-3), ONE, ONE, many(0.15), many(0.5), eps=many(0.1, 0.3), place=place) ** 2
    torch.testing.assert_close(found, many(*expected), rtol=0, atol=1e-7)


DEPTHS = [
    (2, 1.0, 0.1859032, 0.0826236),
    (2, 0.5, 0.1481481, 0.0537611),
    (3, 1.0, 0.1713292, 0.0665199),
    (3, 0.5, 0.1305219, 0.0386732),
]


@pytest.mark.parametrize(("layers", "alpha", "on", "off"), DEPTHS)
def test_two_per_cent_around_the_thresholds_of_deep_networks_decide(
    layers: int, alpha: float, on: float, off: float
) -> None:
    lambda_s = many(1.0, 1.5)
    threshold = closed_forms.deep_threshold(many(layers), many(alpha), lambda_s, lambda_s)
    torch.testing.assert_close(threshold, many(on, off), rtol=0, atol=1e-7)
    lambda_s, eta = lambda_s.repeat(2), torch.cat([0.98 * threshold, 1.02 * threshold])
    of = modes.Modes(*(each[:, None] for each in (lambda_s, torch.ones(4).double(), eta, lambda_s)))
    derivative = modes.deep(of, rules.rule(torch.full((4,), alpha).double()), layers)
    u = flow.advance(derivative, torch.ones(4, 1).double(), 1500.0, tol=1e-7)[:, 0]
    assert (u[:2] > 0.5).all()
    assert (u[2:] < 1e-3).all()


def test_depth_sharpens_the_selection() -> None:
    lambda_s = many(1.0, 1.5)
    for layers in (1, 2, 3, 5):
        on, off = closed_forms.deep_threshold(many(layers), ONE, lambda_s, lambda_s)
        assert float(off / on) == pytest.approx(1.5 ** (-3 + 2 / layers))


def test_a_normalised_W_and_the_squared_loss_collapse() -> None:
    """F/λ_max + εI has its top eigenvalue at 1 + ε, so the top mode shrinks, then the next."""
    from dcp.method.predictors import directcopy

    w = many(1.0, 0.8, 0.5)
    for _ in range(4000):
        p = directcopy.weight(torch.diag(w**2), eps=0.3).diagonal()
        w = w + 0.05 * w * (p - p**2 - 0.02)
    assert float(w.max()) < 1e-3
