"""What the objectives have in common with each other."""

import torch
from test_objectives_by_hand import FULL, TARGETS, VIEWS, built, setting, tensors
from torch.testing import assert_close

from dcp.method.objectives import euclidean, iso_euclidean
from dcp.method.objectives.balance import penalty
from dcp.method.objectives.spectral_contrastive import shortened


def test_mincs_gradient_is_that_of_the_iso_loss_with_F_as_predictor_and_F_times_it_directcopys() -> None:
    """Fact 21; DirectCopy's of the squared distance, unscaled."""
    (z, _), t, F = tensors(VIEWS), torch.tensor(TARGETS[0]), torch.tensor(FULL)
    (ours,) = torch.autograd.grad(built("minc", setting())(z, z, t).sum(), z)
    assert_close(ours, torch.autograd.grad(iso_euclidean.loss(z @ F.T, z, t).sum(), z)[0], rtol=1e-12, atol=0)
    assert_close(ours @ F, torch.autograd.grad(euclidean.loss(z @ F.T, z, t).sum(), z)[0], rtol=1e-12, atol=0)


def test_projections_are_shortened_to_the_radius_and_never_stretched() -> None:
    z = torch.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])
    assert_close(shortened(z, 1.0), torch.tensor([[0.6, 0.8], [0.3, 0.4], [0.0, 0.0]]))
    assert shortened(z, None) is z


def test_the_balance_is_struck_where_the_predictor_is_orthogonal_and_the_features_are_white() -> None:
    W, _ = torch.linalg.qr(torch.tensor(FULL))
    white = torch.eye(4, dtype=torch.float64)
    assert penalty(W, white) < 1e-28
    assert penalty(W, 2 * white) > 0.9
    assert_close(penalty(2 * white, 2 * white), torch.tensor(16.0, dtype=torch.float64))  # |4 I - 8 I|² / 4


def test_vicreg_has_no_gradient_in_what_already_varies_enough_and_is_uncorrelated() -> None:
    q, _ = torch.linalg.qr(torch.cat([torch.ones(8, 1), torch.tensor(VIEWS[0][:4]).float().repeat(2, 1)], dim=1))
    z = (8 * q[:, 1:]).requires_grad_()
    loss = built("vicreg", setting())(z, z, z)
    assert_close(loss, torch.zeros(8), rtol=0, atol=1e-4)
