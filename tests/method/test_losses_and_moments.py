"""What holds for objectives and moments, whatever the projections."""

import hypothesis.strategies as st
import torch
from correlations import normal, seeds, thorough
from hypothesis import given
from torch import Tensor
from torch.testing import assert_close

from dcp.method.moments import Moments
from dcp.method.objectives import cosine, euclidean, iso_euclidean

scales = st.floats(1e-4, 1e4)


def draws(dim: int, seed: int) -> tuple[Tensor, Tensor]:
    return normal(5, dim, seed=seed), normal(5, dim, seed=seed + 1)


@thorough
@given(dim=st.integers(1, 8), seed=seeds, a=scales, b=scales)
def test_cosine_ignores_the_scale_of_predictions_and_targets(dim: int, seed: int, a: float, b: float):
    p, t = draws(dim, seed)
    assert_close(cosine.loss(a * p, p, b * t), cosine.loss(p, p, t))
    assert (cosine.loss(p, p, t).abs() <= 2 + 1e-12).all()


@thorough
@given(dim=st.integers(1, 8), seed=seeds, scale=scales)
def test_euclidean_is_zero_at_the_target_and_positive_elsewhere(dim: int, seed: int, scale: float):
    p, z = draws(dim, seed)
    assert (euclidean.loss(p, z, p) == 0).all()
    assert (iso_euclidean.loss(p, z, p).abs() < 1e-24).all()
    assert (euclidean.loss(p + scale, z, p) > 0).all()


@thorough
@given(dim=st.integers(1, 6), seed=seeds, rho=st.floats(0, 0.99), batches=st.integers(1, 20))
def test_the_moments_of_a_constant_stream_are_those_of_one_batch(dim: int, seed: int, rho: float, batches: int):
    z, _ = draws(dim, seed)
    moments = Moments(dim, rho=rho).double()
    for _ in range(batches):
        moments.store(moments.blend(moments.now, z))
    assert_close(moments.F, z.T @ z / len(z))
    assert_close(moments.first, z.mean(0))


@thorough
@given(
    dim=st.integers(1, 6),
    seed=seeds,
    rho=st.floats(0, 0.99),
    centred=st.booleans(),
    start=st.sampled_from(["first", "zeros"]),
)
def test_F_stays_symmetric_and_positive(dim: int, seed: int, rho: float, centred: bool, start: str):
    moments = Moments(dim, rho=rho, zero_mean=centred, start=start).double()
    for z in draws(dim, seed):
        moments.store(moments.blend(moments.now, z + 3))
    assert_close(moments.F, moments.F.T)
    assert torch.linalg.eigvalsh(moments.F)[0] > -1e-12
