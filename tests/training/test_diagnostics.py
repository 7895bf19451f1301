"""Vital signs against what they are by definition, on projections made for it."""

import math
from itertools import pairwise

import pytest
import torch

from dcp.data.sampler import Plan
from dcp.method import moments
from dcp.training import diagnostics
from dcp.training.diagnostics import APART, COUNT, Diagnostics


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_projections_all_alike_have_no_spread() -> None:
    found = diagnostics.health(torch.ones(2, 8, 4))
    assert found["spread"] == pytest.approx(0, abs=1e-6)
    assert found["norm"] == pytest.approx(2.0)
    assert found["dead"] == 1.0


def test_projections_in_opposite_directions_have_a_spread_of_one_along_one_line() -> None:
    z = torch.zeros(2, 8, 4)
    z[:, ::2, 0], z[:, 1::2, 0] = 3.0, -3.0
    found = diagnostics.health(z)
    assert found["spread"] == pytest.approx(1.0)
    assert found["effective_rank"] == pytest.approx(1.0)
    assert found["dead"] == pytest.approx(0.75)


def test_invariance_is_0_for_equal_views_and_1_for_views_of_other_images() -> None:
    one, other = drawn(1, 4000, 16), drawn(1, 4000, 16, seed=1)
    assert diagnostics.health(torch.cat([one, one]))["invariance"] == pytest.approx(0.0, abs=1e-6)
    assert diagnostics.health(torch.cat([one, other]))["invariance"] == pytest.approx(1.0, abs=0.02)


def test_invariance_is_the_mean_over_all_pairs_of_views() -> None:
    def distance(z: torch.Tensor) -> float:
        signs = diagnostics.health(z)
        return (signs["invariance"] * signs["spread"] ** 2).item()

    a, c = drawn(2, 64, 8)
    pairs = [distance(torch.stack(two)) for two in ((a, a), (a, c), (a, c))]
    assert pairs[0] == pytest.approx(0, abs=1e-6)
    assert distance(torch.stack([a, a, c])) == pytest.approx(sum(pairs) / 3, rel=1e-4)


def test_spread_rank_and_invariance_are_the_same_in_every_basis() -> None:
    z = drawn(2, 64, 6) * torch.tensor([3.0, 2.0, 1.0, 1.0, 0.5, 0.1]) + 0.3
    Q = torch.linalg.qr(drawn(6, 6, seed=2))[0]
    for name in ("spread", "effective_rank", "invariance", "norm"):
        assert diagnostics.health(z @ Q)[name] == pytest.approx(float(diagnostics.health(z)[name]), rel=1e-4)


def test_alignment_of_a_function_of_F_is_1_and_its_commutator_0() -> None:
    z = drawn(100, 8)
    F = z.T @ z / 100
    found = diagnostics.of_matrices(F, F @ F)
    assert found["alignment"] == pytest.approx(1.0, abs=1e-5)
    assert found["commutator"] == pytest.approx(0.0, abs=1e-5)
    assert torch.equal(found["F"], found["F"].sort(descending=True).values)
    assert set(diagnostics.of_matrices(F, None)) == {"F"}


def test_a_fresh_F_has_no_lag_and_one_of_other_directions_has() -> None:
    scale = torch.logspace(0, -2, 16)
    z = drawn(2, 256, 16) * scale
    fresh = moments.batch_moments((drawn(4096, 16, seed=3) * scale), moments.own)[0]
    stale = moments.batch_moments((drawn(4096, 16, seed=3) * scale.flip(0)), moments.own)[0]
    assert diagnostics.lag(fresh, z) < 0.02
    assert diagnostics.lag(stale, z) > 0.5


def test_change_is_the_relative_distance_over_all_parameters() -> None:
    before = [torch.full((3,), 1.0), torch.full((1,), 1.0)]
    after = [torch.full((3,), 1.0), torch.full((1,), 2.0)]
    assert diagnostics.size(before) == pytest.approx(2.0)
    assert diagnostics.change(after, before) == pytest.approx(math.sqrt(1.0) / 2)


def steps_of(plan: Plan) -> list[int]:
    close = Diagnostics(plan, None)
    return [step for step in range(plan.steps) if close.due(step)]


@pytest.mark.parametrize("epochs", [1, 3, 10, 57])
@pytest.mark.parametrize("images", [64, 640, 650, 1000, 4097])
def test_first_and_last_whole_batch_and_few_between(images: int, epochs: int) -> None:
    plan = Plan(images, 64, epochs, seed=0)
    due = steps_of(plan)
    assert due[0] == 0
    assert due[-1] >= plan.steps - 2
    assert len(due) <= COUNT + 2
    assert not any(plan.is_remainder(step) for step in due)
    assert all(after - before >= APART - 1 for before, after in pairwise(due[1:-1]))


def test_images_seen_are_those_of_all_batches() -> None:
    for images in (64, 100, 65, 4097):
        plan = Plan(images, 64, 3, seed=0)
        counted = sum(len(plan.indices(step, plan.order(0))) for step in range(plan.steps))
        assert plan.seen == counted
