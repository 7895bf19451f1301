"""Predictors that the optimizer steps on, and one with nothing to learn: what they keep, and whose path they take."""

import pytest
import torch
from correlations import normal
from torch import nn
from torch.testing import assert_close

from dcp.method.moments import own
from dcp.method.objectives import euclidean
from dcp.method.predictors import offdiagonal, orthogonal, reweighting, symmetric, symmetric_mlp

SGD = dict(lr=0.1, momentum=0.9, weight_decay=0.05)
single = dict(rtol=1e-6, atol=1e-6)  # of what was made in single precision


def trained(predictor: nn.Module, steps: int, after=lambda: None, **options: float) -> None:
    """Steps of SGD on |p - t|², with `after` behind each."""
    optimizer = torch.optim.SGD(predictor.parameters(), **{**SGD, **options})
    for step in range(steps):
        optimizer.zero_grad()
        (predictor(normal(16, 4, seed=step)) - normal(16, 4, seed=100 + step)).square().mean().backward()
        optimizer.step()
        after()


def test_an_orthogonal_predictor_stays_orthogonal_and_learns():
    torch.manual_seed(0)
    predictor = orthogonal.build(orthogonal.Config(), 4, own).double()
    start = predictor.matrix.detach().clone()
    assert_close(start.T @ start, torch.eye(4, dtype=torch.float64), **single)
    trained(predictor, 20)
    W = predictor.matrix.detach()
    assert_close(W.T @ W, torch.eye(4, dtype=torch.float64), **single)
    assert (W - start).norm() > 0.01
    z = normal(8, 4, seed=1)
    assert_close(predictor(z).norm(dim=1), z.norm(dim=1), **single)


def test_weight_decay_pulls_an_orthogonal_predictor_back_to_where_it_began():
    torch.manual_seed(0)
    predictor = orthogonal.build(orthogonal.Config(), 4, own).double()
    start = predictor.matrix.detach().clone()
    trained(predictor, 5)
    away = (predictor.matrix - start).norm()
    optimizer = torch.optim.SGD(predictor.parameters(), lr=0.1, weight_decay=1.0)
    for _ in range(50):
        optimizer.zero_grad()
        (0 * predictor(normal(2, 4, seed=0))).sum().backward()
        optimizer.step()
    assert (predictor.matrix - start).norm() < 0.1 * away


@pytest.mark.parametrize("bias", [False, True])
def test_a_symmetric_predictor_takes_the_path_of_a_free_one_that_is_symmetrised_after_every_step(bias: bool):
    """The official release's way, with momentum and weight decay."""
    torch.manual_seed(0)
    ours = symmetric.Symmetric(4, bias=bias).double()
    theirs = nn.Linear(4, 4, bias=bias).double()
    with torch.no_grad():
        theirs.weight.copy_(ours.matrix)
        if bias:
            theirs.bias.copy_(ours.b)

    @torch.no_grad()
    def symmetrise() -> None:
        theirs.weight.copy_((theirs.weight + theirs.weight.T) / 2)

    start = ours.matrix.detach().clone()
    trained(ours, 20)
    trained(theirs, 20, symmetrise)
    assert_close(ours.matrix, theirs.weight)
    assert (ours.matrix - start).norm() > 0.1


def test_a_symmetric_two_layer_predictor_takes_the_release_path_at_half_the_rate_and_twice_the_decay():
    torch.manual_seed(0)
    ours = symmetric_mlp.SymmetricMlp(4, hidden=7, norm="batch", bias=False).double()
    theirs = nn.Sequential(
        nn.Linear(4, 7, bias=False), nn.BatchNorm1d(7, affine=False), nn.ReLU(), nn.Linear(7, 4, bias=False)
    ).double()

    @torch.no_grad()
    def tie() -> None:
        V = (theirs[0].weight + theirs[3].weight.T) / 2
        theirs[0].weight.copy_(V)
        theirs[3].weight.copy_(V.T)

    with torch.no_grad():
        theirs[0].weight.copy_(ours.first.weight)
        theirs[3].weight.copy_(ours.first.weight.T)
    start = ours.first.weight.detach().clone()
    trained(theirs, 10, tie)
    trained(ours, 10, lr=SGD["lr"] / 2, weight_decay=2 * SGD["weight_decay"])
    assert_close(ours.first.weight, theirs[0].weight)
    assert (ours.first.weight - start).norm() > 0.01


def test_the_jacobian_of_a_symmetric_two_layer_predictor_is_symmetric_and_positive():
    """It is Vᵀ diag(1 where the unit is on) V, without batch norm."""
    torch.manual_seed(0)
    predictor = symmetric_mlp.SymmetricMlp(4, hidden=9, norm="none", bias=True).double()
    J = torch.autograd.functional.jacobian(lambda x: predictor(x[None])[0], normal(4, seed=0))
    assert_close(J, J.T)
    assert torch.linalg.eigvalsh(J)[0] > -1e-12
    assert J.norm() > 0.1


def test_an_offdiagonal_predictor_starts_as_batch_norm_alone():
    z = normal(16, 4, seed=0) * 5 + 3
    p = offdiagonal.Offdiagonal(4).double()(z)
    assert_close(p, (z - z.mean(0)) / (z.var(0, correction=0) + 1e-5).sqrt())


def test_neither_gradient_nor_weight_decay_moves_the_diagonal():
    predictor = offdiagonal.Offdiagonal(4).double()
    trained(predictor, 10)
    assert_close(predictor.E.diag(), torch.ones(4, dtype=torch.float64), rtol=0, atol=0)
    assert (predictor.E - torch.eye(4, dtype=torch.float64)).norm() > 0.01
    z = normal(16, 4, seed=0)
    E = torch.eye(4, dtype=torch.float64) + predictor.between * (1 - torch.eye(4, dtype=torch.float64))
    predictor.norm.eval()
    mean, var = predictor.norm.running_mean, predictor.norm.running_var
    assert_close(predictor(z), (z @ E.T - mean) / (var + 1e-5).sqrt())


def test_batch_normalised_on_both_sides_the_squared_distance_is_two_minus_twice_the_correlation_of_each_unit():
    z, noise = normal(64, 4, seed=0), normal(64, 4, seed=1)
    predictor = offdiagonal.Offdiagonal(4).double()
    t = nn.BatchNorm1d(4, affine=False).double()(z + noise)
    p = predictor(z)
    found = euclidean.loss(p, z, t).mean()
    R = [torch.corrcoef(torch.stack([z[:, j], (z + noise)[:, j]]))[0, 1] for j in range(4)]
    assert_close(found, 2 * 4 - 2 * torch.stack(R).sum(), rtol=1e-4, atol=1e-4)


def test_a_reweighting_is_the_diagonal_matrix_of_powers():
    predictor = reweighting.build(reweighting.Config(kappa=0.5), 4, own)
    assert_close(predictor.matrix, torch.diag(torch.tensor([1.0, 0.5, 0.25, 0.125])))
    assert_close(predictor(torch.ones(2, 4)), torch.tensor([[1.0, 0.5, 0.25, 0.125]]).repeat(2, 1))
    assert not list(predictor.parameters())
