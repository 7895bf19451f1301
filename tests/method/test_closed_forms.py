"""Predictors that are set from F and C: each is what it says it is, and better than whatever else it could be."""

import numpy as np
import pytest
import scipy.linalg
import torch
from correlations import rotation
from torch import Tensor
from torch.testing import assert_close

from dcp.method.moments import Moments, own
from dcp.method.predictors import directset, minimal_space, newton_schulz, procrustes, regression, top_k

N, D = 40, 5
eye = torch.eye(D, dtype=torch.float64)


def samples(seed: int = 0) -> tuple[Tensor, Tensor]:
    """z and t [N, D]: t is a noisy linear map of z, and z has a wide spectrum."""
    g = torch.Generator().manual_seed(seed)
    z, noise = torch.randn(2, N, D, generator=g, dtype=torch.float64)
    z = z * torch.tensor([3.0, 2.0, 1.0, 0.5, 0.2])
    return z, z @ torch.randn(D, D, generator=g, dtype=torch.float64) + 0.1 * noise


def moments(seed: int = 0) -> tuple[Tensor, Tensor]:
    """F and C as training computes them."""
    z, t = samples(seed)
    kept = Moments(D, rho=0.5, cross=True).double()
    kept.store(kept.blend(kept.now, z, t))
    return kept.F, kept.cross


def error(W: Tensor, seed: int = 0) -> Tensor:
    z, t = samples(seed)
    return (t - z @ W.T).square().sum(1).mean()


RULES = {
    "right": lambda F, C: regression.weight(F, C, ridge=0.01),
    "left": lambda F, C: regression.weight(F, C, ridge=0.01, order="left"),
    "plain ridge": lambda F, C: regression.weight(F, C, ridge=0.3, unit="one"),
    "symmetrised": lambda F, C: regression.weight(F, C, ridge=0.01, symmetrise=True),
    "minimal_space": lambda F, C: minimal_space.weight(F, C, ridge=0.01),
    "procrustes": lambda F, C: procrustes.weight(C),
    "newton_schulz": lambda F, C: newton_schulz.weight(C, iterations=12),
    "top_k of F": lambda F, C: top_k.weight(F, k=2),
    "top_k of C": lambda F, C: top_k.weight(C, k=2),
}


@pytest.mark.parametrize("name", RULES)
def test_W_turns_with_projections_and_targets(name: str):
    """z -> Q z and t -> Q t turn F and C, and W(Q F Qᵀ, Q C Qᵀ) = Q W Qᵀ."""
    F, C = moments()
    Q = rotation(D, 3)
    assert_close(RULES[name](Q @ F @ Q.T, Q @ C @ Q.T), Q @ RULES[name](F, C) @ Q.T, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("name", [name for name in RULES if name != "plain ridge"])
def test_W_does_not_change_when_projections_and_targets_are_scaled(name: str):
    F, C = moments()
    assert_close(RULES[name](9 * F, 9 * C), RULES[name](F, C))


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_without_a_signal_W_is_the_identity(name: str, value: float):
    bad = torch.full((D, D), value, dtype=torch.float64)
    assert_close(RULES[name](bad, bad), eye)


@pytest.mark.parametrize("name", ["right", "left", "minimal_space", "procrustes", "newton_schulz", "top_k of C"])
def test_one_entry_of_C_that_is_not_finite_makes_W_the_identity(name: str):
    F, C = moments()
    C[0, -1] = float("nan")
    assert_close(RULES[name](F, C), eye)


@pytest.mark.parametrize("name", RULES)
def test_one_direction_alone_gives_a_finite_W(name: str):
    u = torch.tensor([0.6, 0.0, 0.8, 0.0, 0.0])
    assert torch.isfinite(RULES[name](torch.outer(u, u), 0.5 * torch.outer(u, u))).all()


def test_regression_without_ridge_is_the_least_squares_solution_of_the_samples():
    z, t = (x.numpy() for x in samples())
    best = np.linalg.lstsq(z, t, rcond=None)[0]
    assert_close(regression.weight(*moments(), ridge=0.0), torch.from_numpy(best.T.copy()), rtol=1e-9, atol=1e-9)


def test_regression_with_ridge_is_least_squares_with_D_more_samples_that_pull_to_zero():
    """min Σ|t - W z|² + N λ‖W‖²: rows √(Nλ) e_j with target 0, λ in units of F's mean eigenvalue or of one."""
    z, t = (x.numpy() for x in samples())
    F, C = moments()
    for unit, one in (("mean", F.trace().item() / D), ("one", 1.0)):
        rows = np.sqrt(N * 0.3 * one) * np.eye(D)
        best = np.linalg.lstsq(np.vstack([z, rows]), np.vstack([t, np.zeros((D, D))]), rcond=None)[0]
        W = regression.weight(F, C, ridge=0.3, unit=unit)
        assert_close(W, torch.from_numpy(best.T.copy()), rtol=1e-9, atol=1e-9)


def test_regression_of_a_target_that_is_the_projection_is_the_identity():
    F, _ = moments()
    for order in ("right", "left"):
        assert_close(regression.weight(F, F, ridge=0.0, order=order), eye)


def test_the_two_orders_are_transposes_where_C_is_symmetric_and_differ_otherwise():
    F, C = moments()
    right, left = (regression.weight(F, C + C.T, ridge=0.1, order=order) for order in ("right", "left"))
    assert_close(left, right.T)
    assert error(regression.weight(F, C, ridge=0.0, order="left")) > 1.1 * error(regression.weight(F, C, ridge=0.0))


def test_regression_by_hand():
    """F = diag(4, 1), C = [[2, 1], [0, 3]]: right divides columns by 4 and 1, left rows."""
    F, C = torch.diag(torch.tensor([4.0, 1.0])), torch.tensor([[2.0, 1.0], [0.0, 3.0]])
    assert_close(regression.weight(F, C, ridge=0.0), torch.tensor([[0.5, 1.0], [0.0, 3.0]]))
    assert_close(regression.weight(F, C, ridge=0.0, order="left"), torch.tensor([[0.5, 0.25], [0.0, 3.0]]))
    halved = regression.weight(F, C, ridge=0.0, symmetrise=True)
    assert_close(halved, torch.tensor([[0.5, 0.5], [0.5, 3.0]]))


def test_a_singular_F_without_ridge_gives_the_identity_instead_of_an_error():
    F = torch.diag(torch.tensor([1.0, 0.0]))
    assert_close(regression.weight(F, torch.ones(2, 2), ridge=0.0), torch.eye(2))
    assert_close(minimal_space.weight(F, torch.ones(2, 2), ridge=0.0), torch.eye(2))


def test_minimal_space_solves_the_symmetric_sylvester_equation():
    F, C = moments()
    W = minimal_space.weight(F, C, ridge=0.1)
    A = F + 0.1 * F.trace() / D * eye
    assert_close(W, W.T)
    assert_close(W @ A + A @ W, C + C.T)


def test_minimal_space_is_least_squares_over_the_free_entries_of_a_symmetric_matrix():
    z, t = samples()
    basis = []
    for i in range(D):
        for j in range(i, D):
            E = torch.zeros(D, D, dtype=torch.float64)
            E[i, j] = E[j, i] = 1
            basis.append(E)
    design = torch.stack([(z @ E.T).flatten() for E in basis], dim=1)
    best = torch.linalg.lstsq(design, t.flatten()[:, None]).solution[:, 0]
    expected = sum(x * E for x, E in zip(best, basis, strict=True))
    assert_close(minimal_space.weight(*moments(), ridge=0.0), expected, rtol=1e-8, atol=1e-8)


def test_procrustes_is_orthogonal_and_no_rotation_is_better():
    _, C = moments()
    W = procrustes.weight(C)
    assert_close(W.T @ W, eye)
    assert all(error(W) < error(rotation(D, seed)) for seed in range(200))
    near = [W @ torch.linalg.matrix_exp(0.1 * (A - A.T)) for A in (rotation(D, seed) for seed in range(50))]
    assert all(error(W) < error(other) for other in near)
    z, t = (x.numpy() for x in samples())
    assert_close(W, torch.from_numpy(scipy.linalg.orthogonal_procrustes(z, t)[0].T.copy()))


def test_procrustes_of_a_turned_projection_is_that_turn():
    z, _ = samples()
    Q = rotation(D, 7)
    assert_close(procrustes.weight((z @ Q.T).T @ z / N), Q)


def test_newton_schulz_is_procrustes_where_C_is_well_conditioned():
    C = rotation(D, 1) @ torch.diag(torch.tensor([5.0, 4, 3, 2, 1], dtype=torch.float64)) @ rotation(D, 2)
    assert_close(newton_schulz.weight(C, iterations=15), procrustes.weight(C), rtol=0, atol=1e-10)


@pytest.mark.parametrize("iterations", [1, 5, 12])
def test_newton_schulz_iterates_each_singular_value_and_keeps_the_singular_vectors(iterations: int):
    _, C = moments()
    U, s, Vh = torch.linalg.svd(C)
    s = s / s.norm()
    for _ in range(iterations):
        s = s * (3 - s**2) / 2
    assert_close(newton_schulz.weight(C, iterations=iterations), (U * s) @ Vh)
    assert (s <= 1).all()


def test_newton_schulz_leaves_out_what_is_below_two_thirds_to_the_n():
    C = torch.diag(torch.tensor([1.0, 0.1, 1e-4, 0.0], dtype=torch.float64))
    w = newton_schulz.weight(C, iterations=12).diag()
    assert_close(w[:2], torch.ones(2, dtype=torch.float64), rtol=0, atol=1e-2)
    assert_close(w[2].item(), 1e-4 * 1.5**12, rtol=0.02, atol=0)
    assert w[3] == 0


@pytest.mark.parametrize("k", [1, 2, 5])
def test_top_k_is_a_projection_of_rank_k_and_keeps_more_of_F_than_any_other(k: int):
    F, _ = moments()
    W = top_k.weight(F, k=k)
    assert_close(W @ W, W)
    assert_close(W, W.T)
    assert_close(W.trace().item(), float(k))
    assert_close((W @ F).trace(), torch.linalg.eigvalsh(F)[-k:].sum())
    others = [rotation(D, seed)[:, :k] for seed in range(200)]
    assert all((W @ F).trace() >= (V.T @ F @ V).trace() - 1e-12 for V in others)


def test_top_k_of_C_takes_the_largest_eigenvalues_of_its_symmetric_part_not_the_largest_in_size():
    C = torch.diag(torch.tensor([-5.0, 1.0, 2.0])) + torch.tensor([[0.0, 9, 0], [-9, 0, 0], [0, 0, 0]])
    assert_close(top_k.weight(C, k=2), torch.diag(torch.tensor([0.0, 1.0, 1.0])))


def test_top_k_without_k_has_half_of_the_directions():
    built = top_k.build(top_k.Config(), 6, own)
    built.refresh(torch.diag(torch.arange(6.0)))
    assert_close(built.matrix, torch.diag(torch.tensor([0.0, 0, 0, 1, 1, 1])))


def test_the_offset_of_the_paper_is_a_negative_eps_inside():
    """P21 Table 7: √max(s - c, 0) with c = 0.1 of max s; 1e-4 under the root is the release's floor."""
    F = torch.diag(torch.tensor([4.0, 1.0, 0.25], dtype=torch.float64))
    W = directset.weight(F, alpha=0.5, eps=-0.1, eps_place="inside", floor=1e-4)
    assert_close(W.diag(), torch.tensor([0.9**0.5, 0.15**0.5, 0.01], dtype=torch.float64))
