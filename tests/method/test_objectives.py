"""Values and gradients of the objectives, in float64.

Facts: 15 range      16 scale of W      17 orthogonality      19 the linear encoder's gradient
"""

import pytest
import torch
from correlations import normal
from torch import Tensor
from torch.nn import functional as fn
from torch.testing import assert_close

from dcp.method.objectives import cosine, euclidean, iso_cosine, iso_euclidean
from dcp.method.predictors import directcopy


def positive(dim: int = 4, seed: int = 9) -> Tensor:
    A = normal(dim, 2 * dim, seed=seed)
    return A @ A.T / dim


def loss_and_gradient(W: Tensor) -> tuple[Tensor, Tensor]:
    """Those of the cosine objective for the same six projections z of dimension 4 and the same targets."""
    z, t = normal(6, 4, seed=0).requires_grad_(), normal(6, 4, seed=1)
    loss = cosine.loss(z @ W.T, z, t)
    return loss.detach(), torch.autograd.grad(loss.sum(), z)[0]


def test_the_symmetric_loss_is_in_minus_4_to_4_and_is_byols_less_4():
    """Fact 15."""
    p1, p2, t1, t2 = (normal(500, 2, seed=s) for s in range(4))
    loss = cosine.loss(p1, p1, t2) + cosine.loss(p2, p2, t1)
    unit = [fn.normalize(x, dim=-1) for x in (p1, p2, t1, t2)]
    byol = (unit[0] - unit[3]).square().sum(-1) + (unit[1] - unit[2]).square().sum(-1)
    assert_close(loss, byol - 4)
    assert loss.min() >= -4
    assert loss.max() <= 4
    assert loss.max() - loss.min() > 7


def test_identical_inputs_and_a_multiple_of_the_identity_give_minus_4():
    """Fact 15."""
    z = normal(6, 4, seed=0)
    assert_close(2 * cosine.loss(0.7 * z, z, z), torch.full((6,), -4.0, dtype=torch.float64))


def test_cosine_and_its_gradient_ignore_the_scale_of_W():
    """Fact 16."""
    W = positive()
    for k in (1e-3, 7.0):
        assert_close(loss_and_gradient(k * W), loss_and_gradient(W))


def test_without_eps_every_norm_of_directcopy_trains_alike():
    """Fact 16."""
    F = positive()
    bare = loss_and_gradient(directcopy.weight(F, eps=0.0, norm="none"))
    assert_close(loss_and_gradient(directcopy.weight(F, eps=0.0, norm="spectral")), bare)
    assert_close(loss_and_gradient(directcopy.weight(F, eps=0.0, norm="fro")), bare)


def test_with_eps_the_norms_of_directcopy_differ_by_what_eps_means():
    """Fact 16: F / ‖F‖ + ε is F + ε‖F‖, and ε of the Frobenius norm is ε ‖F‖_F / ‖F‖₂ of the spectral one."""
    F = positive()
    top, fro = torch.linalg.eigvalsh(F)[-1].item(), F.norm().item()
    spectral = loss_and_gradient(directcopy.weight(F, eps=0.3))
    assert_close(spectral, loss_and_gradient(directcopy.weight(F, eps=0.3 * top, norm="none")))
    frobenius = loss_and_gradient(directcopy.weight(F, eps=0.3, norm="fro"))
    assert_close(frobenius, loss_and_gradient(directcopy.weight(F, eps=0.3 * fro / top)))
    assert not torch.allclose(frobenius[0], spectral[0], rtol=1e-3)


def test_cosine_pulls_no_projection_outwards():
    """Fact 17: ⟨z, dL/dz⟩ = 0 for each sample."""
    z, t, W = normal(6, 4, seed=0).requires_grad_(), normal(6, 4, seed=1), positive()
    (gradient,) = torch.autograd.grad(cosine.loss(z @ W.T, z, t).sum(), z)
    assert gradient.norm() > 0.1
    assert_close((z * gradient).sum(-1), torch.zeros(6, dtype=torch.float64), rtol=0, atol=1e-14)


def test_cosine_does_not_change_the_norm_of_a_linear_encoder():
    """Fact 17: ⟨W, dL/dW⟩ = 0."""
    encoder, x1, x2 = normal(4, 5, seed=0).requires_grad_(), normal(6, 5, seed=1), normal(6, 5, seed=2)
    z = x1 @ encoder.T
    loss = cosine.loss(z @ positive(), z, x2 @ encoder.T).mean()
    (gradient,) = torch.autograd.grad(loss, encoder)
    assert gradient.norm() > 0.01
    assert abs((encoder * gradient).sum()) < 1e-14


def test_the_gradient_of_a_linear_encoder_is_that_of_the_theory():
    """Fact 19: W_pᵀ (W_p W X_s - W_a X_d) for half the squared distance, any W_p."""
    W, Wa, Wp = normal(4, 5, seed=0).requires_grad_(), normal(4, 5, seed=1), normal(4, 4, seed=2)
    x1, x2 = normal(7, 5, seed=3), normal(7, 5, seed=4)
    z = x1 @ W.T
    (gradient,) = torch.autograd.grad(0.5 * euclidean.loss(z @ Wp.T, z, x2 @ Wa.T).mean(), W)
    same, cross = x1.T @ x1 / 7, x2.T @ x1 / 7
    assert_close(gradient, Wp.T @ (Wp @ W @ same - Wa @ cross))


@pytest.mark.parametrize("objective", [cosine, euclidean, iso_cosine, iso_euclidean])
def test_a_projection_of_zero_gives_a_finite_loss_and_gradient(objective):
    z = torch.zeros(2, 3).requires_grad_()
    loss = objective.loss(z * 1.0, z, torch.zeros(2, 3))
    (gradient,) = torch.autograd.grad(loss.sum(), z)
    assert torch.isfinite(loss).all()
    assert torch.isfinite(gradient).all()
