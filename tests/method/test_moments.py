"""The moving average F, redone by hand.

Facts: 9 both views pooled, not centred      10 moving average      11 ρ = 0      12 several processes
"""

import pytest
import torch
from correlations import normal
from torch import Tensor
from torch.testing import assert_close

from dcp.method.moments import Moments, batch_moments, own


def draws(batch: int, seed: int = 0) -> Tensor:
    return normal(batch, 3, seed=seed)


def after(z: list[Tensor], **keys: object) -> Tensor:
    """F after the batches z."""
    moments = Moments(z[0].shape[1], **keys).double()
    for batch in z:
        moments.store(moments.blend(moments.now, batch))
    return moments.F


def test_the_moments_of_two_samples_by_hand():
    z = torch.tensor([[1.0, 2.0], [3.0, 0.0]], dtype=torch.float64)
    second, first, _ = batch_moments(z, own)
    assert_close(second, torch.tensor([[5.0, 1.0], [1.0, 2.0]], dtype=torch.float64))
    assert_close(first, torch.tensor([2.0, 1.0], dtype=torch.float64))


def test_F_of_both_views_is_the_mean_of_the_views_own():
    """Fact 9."""
    z1, z2 = draws(8), draws(8, seed=1)
    pooled = after([torch.cat([z1, z2])], rho=0.5)
    assert_close(pooled, (z1.T @ z1 / 8 + z2.T @ z2 / 8) / 2)


def test_a_constant_vector_adds_its_outer_product_and_cross_terms():
    """Fact 9: F is the raw moment."""
    z, m = draws(16), torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    cross = torch.outer(z.mean(0), m)
    expected = after([z], rho=0.5) + torch.outer(m, m) + cross + cross.T
    assert_close(after([z + m], rho=0.5), expected)


def test_zero_mean_makes_the_covariance_of_a_single_batch():
    """Fact 9."""
    z, m = draws(16), torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    F = after([z + m], rho=0.5, zero_mean=True)
    assert_close(F, torch.cov(z.T, correction=0))
    assert_close(F, after([z], rho=0.5, zero_mean=True))


def test_the_first_batch_is_F_and_the_second_is_blended_in_by_the_weight_of_the_past():
    """Fact 10."""
    z1, z2 = draws(8), draws(8, seed=1)
    C1, C2 = z1.T @ z1 / 8, z2.T @ z2 / 8
    assert_close(after([z1], rho=0.3), C1)
    assert_close(after([z1, z2], rho=0.3), 0.3 * C1 + 0.7 * C2)
    assert_close(after([z1, z2, z1], rho=0.3), 0.3 * (0.3 * C1 + 0.7 * C2) + 0.7 * C1)


def test_a_start_at_zero_is_short_by_rho_to_the_number_of_batches():
    z = draws(8)
    assert_close(after([z] * 3, rho=0.5, start="zeros"), (1 - 0.5**3) * z.T @ z / 8)


def test_without_a_past_F_is_that_of_the_last_batch():
    """Fact 11."""
    z1, z2 = draws(8), draws(5, seed=1)
    assert_close(after([z1, z2], rho=0.0), z2.T @ z2 / 5)


@pytest.mark.parametrize("sizes", [(8, 8), (9, 3, 4), (1, 15)])
def test_shares_of_several_processes_make_the_moments_of_the_whole_batch(sizes: tuple[int, ...]):
    """Fact 12."""
    z = draws(16)
    sums: list[Tensor] = []
    for share in z.split(sizes):
        batch_moments(share, lambda own_sums: sums.append(own_sums) or own_sums)
    for share in z.split(sizes):
        second, first, _ = batch_moments(share, lambda _: torch.stack(sums).sum(0))
        assert_close(second, z.T @ z / 16)
        assert_close(first, z.mean(0))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_projections_are_summed_in_float32(dtype: torch.dtype):
    z = (300 * draws(64)).to(dtype)  # 64 · 300² is more than float16 can hold
    second, _, _ = batch_moments(z, own)
    assert second.dtype == torch.float32
    assert_close(second, z.float().T @ z.float() / 64)


def test_blending_changes_nothing_until_it_is_stored():
    moments = Moments(3, rho=0.5).double()
    fresh = moments.blend(moments.now, draws(8))
    assert moments.F.norm() == 0
    assert moments.updates == 0
    moments.store(fresh)
    assert_close(moments.F, fresh.second)
    assert moments.updates == 1
