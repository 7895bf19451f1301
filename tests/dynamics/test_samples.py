"""The theory beside samples: the gradient of training, SGD, least squares; and the self-predictive flow."""

import pytest
import torch
from torch import nn

from dcp.dynamics import closed_forms, flow, matrices
from dcp.dynamics.experiments import finite_sample, sample_complexity
from dcp.dynamics.gaussian import gaussian
from dcp.method.algorithm import Method
from dcp.method.moments import Moments, own
from dcp.method.networks import Branch
from dcp.method.objectives import euclidean
from dcp.method.predictors import directcopy
from dcp.method.targets.online import Online


def test_the_gradient_of_training_is_that_of_the_flow_with_the_moments_of_the_batch() -> None:
    generator = torch.Generator().manual_seed(0)
    data = gaussian(4, 2, 1.0)
    layer = nn.Linear(4, 4, bias=False).double()
    predictor = directcopy.build(directcopy.Config(eps=0.1, norm="none"), 4, own).double()
    predictor.refresh(torch.diag(torch.tensor([2.0, 1.0, 0.5, 0.1]).double()))
    half = Method(
        Branch(nn.Identity(), nn.Sequential(layer)),
        predictor,
        Online(),
        Moments(4, rho=0.0).double(),
        lambda p, z, t: euclidean.loss(p, z, t) / 4,
    )
    x1, x2 = data.views(50, generator)
    half(x1, x2).losses.mean().backward()
    W, W_p = layer.weight.detach(), predictor.matrix
    expected = torch.zeros(4, 4).double()
    for one, other in ((x1, x2), (x2, x1)):  # each direction has half of the loss
        X_s, X_d = one.T @ one / 50, other.T @ one / 50
        expected += W_p.T @ (W_p @ W @ X_s - W @ X_d) / 2
    torch.testing.assert_close(layer.weight.grad, expected, rtol=0, atol=1e-12)


def test_views_have_the_moments_of_the_model() -> None:
    data = gaussian(4, 2, 1.5, torch.Generator().manual_seed(1))
    x1, x2 = data.views(200_000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(x1.T @ x1 / len(x1), data.X_s, rtol=0, atol=0.03)
    torch.testing.assert_close(x2.T @ x1 / len(x1), data.X_d, rtol=0, atol=0.03)
    torch.testing.assert_close((x1 - x2) @ data.P, torch.zeros_like(x1), rtol=0, atol=1e-12)


@pytest.mark.parametrize("alpha", [1.0, pytest.param(0.5, marks=pytest.mark.byhand)])
def test_SGD_through_the_method_ends_near_the_projector(alpha: float) -> None:
    config = finite_sample.Config(dim=4, kept=2, steps=1200 if alpha == 1 else 2400, lr=0.05, batch=128, alpha=(alpha,))
    result = finite_sample.run(config, 0)
    (off,) = [row for row in result.rows if row.quantity.startswith("largest entry")]
    assert off.simulated < 0.03
    for row in result.rows:
        first = "early" in row.quantity  # steps of 0.05 are coarse where W moves at a rate of 6
        assert row.simulated == pytest.approx(row.closed_form, abs=0.15 if first else 0.05), row


def test_few_labels_do_on_learned_features() -> None:
    config = sample_complexity.Config(dim=20, kept=5, labels=(30,), trials=400)
    result = sample_complexity.run(config, 0)
    on, raw = result.rows
    assert on.closed_form == pytest.approx(0.1041667, abs=1e-7)
    for row in (on, raw):
        assert abs(row.difference) < 4 * row.standard_error
    assert raw.simulated > 5 * on.simulated


def test_least_squares_has_no_finite_risk_on_too_few_labels() -> None:
    assert closed_forms.excess_risk(0.5, 5, 6) == float("inf")


def test_with_eigenvalues_of_both_signs_the_self_predictive_flow_may_stay_on_a_smaller_one() -> None:
    generator = torch.Generator().manual_seed(0)
    U = torch.linalg.qr(torch.randn(6, 6, generator=generator, dtype=torch.float64))[0]
    T = (U * torch.tensor([1.0, -0.8, 0.4, -0.3, 0.2, 0.1]).double()) @ U.T
    phi = torch.randn(1, 6, 2, generator=generator, dtype=torch.float64)
    Q = torch.linalg.qr(flow.advance(matrices.self_predictive(T), phi, 60.0, tol=1e-10)[0])[0]
    assert float((Q.T @ U[:, 1]).square().sum()) < 1e-6
