"""Vital signs against what they are by definition, on projections made for it."""

import math

import pytest
import torch

from dcp.method import moments
from dcp.training import vitals


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_projections_all_alike_have_no_spread() -> None:
    found = vitals.health(torch.ones(2, 8, 4))
    assert found["spread"] == pytest.approx(0, abs=1e-6)
    assert found["norm"] == pytest.approx(2.0)
    assert found["dead"] == 1.0


def test_projections_in_opposite_directions_have_a_spread_of_one_along_one_line() -> None:
    z = torch.zeros(2, 8, 4)
    z[:, ::2, 0], z[:, 1::2, 0] = 3.0, -3.0
    found = vitals.health(z)
    assert found["spread"] == pytest.approx(1.0)
    assert found["effective_rank"] == pytest.approx(1.0)
    assert found["dead"] == pytest.approx(0.75)


def test_invariance_is_0_for_equal_views_and_1_for_views_of_other_images() -> None:
    one, other = drawn(1, 4000, 16), drawn(1, 4000, 16, seed=1)
    assert vitals.health(torch.cat([one, one]))["invariance"] == pytest.approx(0.0, abs=1e-6)
    assert vitals.health(torch.cat([one, other]))["invariance"] == pytest.approx(1.0, abs=0.02)


def test_spread_rank_and_invariance_are_the_same_in_every_basis() -> None:
    z = drawn(2, 64, 6) * torch.tensor([3.0, 2.0, 1.0, 1.0, 0.5, 0.1]) + 0.3
    Q = torch.linalg.qr(drawn(6, 6, seed=2))[0]
    for name in ("spread", "effective_rank", "invariance", "norm"):
        assert vitals.health(z @ Q)[name] == pytest.approx(float(vitals.health(z)[name]), rel=1e-4)


def test_alignment_of_a_function_of_F_is_1_and_its_commutator_0() -> None:
    z = drawn(100, 8)
    F = z.T @ z / 100
    found = vitals.of_matrices(F, F @ F)
    assert found["alignment"] == pytest.approx(1.0, abs=1e-5)
    assert found["commutator"] == pytest.approx(0.0, abs=1e-5)
    assert torch.equal(found["F"], found["F"].sort(descending=True).values)
    assert set(vitals.of_matrices(F, None)) == {"F"}


def test_a_fresh_F_has_no_lag_and_one_of_other_directions_has() -> None:
    scale = torch.logspace(0, -2, 16)
    z = drawn(2, 256, 16) * scale
    fresh = moments.batch_moments((drawn(4096, 16, seed=3) * scale), moments.own)[0]
    stale = moments.batch_moments((drawn(4096, 16, seed=3) * scale.flip(0)), moments.own)[0]
    assert vitals.lag(fresh, z) < 0.02
    assert vitals.lag(stale, z) > 0.5


def test_change_is_the_relative_distance_over_all_parameters() -> None:
    before = [torch.full((3,), 1.0), torch.full((1,), 1.0)]
    after = [torch.full((3,), 1.0), torch.full((1,), 2.0)]
    assert vitals.size(before) == pytest.approx(2.0)
    assert vitals.change(after, before) == pytest.approx(math.sqrt(1.0) / 2)
