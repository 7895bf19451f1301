"""Spectral filters on either side beside the singular-value decomposition; DirectPred by cells, sample by sample."""

import pytest
import torch
from correlations import normal, rotation
from torch import Tensor
from torch.testing import assert_close

from dcp.method.moments import Total, batch_moments, own
from dcp.method.predictors import directpred, directset, partition, spectral_filter
from dcp.method.targets import filtered

N, D = 30, 4
G = {
    "poly": lambda s: s**2,
    "log": torch.log,
    "log1": lambda s: torch.log(1 + s),
    "log2": lambda s: torch.log(1 + s**2),
}


def projections(seed: int = 0) -> Tensor:
    return normal(N, D, seed=seed) @ torch.diag(torch.tensor([3.0, 1.0, 0.3, 0.1], dtype=torch.float64))


def by_svd(Z: Tensor, g: str) -> Tensor:
    """The rows of Z, filtered as the release does it."""
    U, s, Vh = torch.linalg.svd(Z, full_matrices=False)
    return (U * s * G[g](s)) @ Vh


@pytest.mark.parametrize("g", G)
def test_a_filter_of_the_batch_is_that_of_its_singular_values(g: str):
    Z = projections()
    F = batch_moments(Z, own)[0]
    ours = Z @ spectral_filter.weight(F, g=g, power=2.0, gain=N**0.5)
    assert_close(ours, by_svd(Z, g))
    bare = Z @ spectral_filter.weight(F, g=g, power=2.0)
    assert_close(bare, by_svd(Z / N**0.5, g) * N**0.5)


@pytest.mark.parametrize("g", G)
def test_a_filter_on_the_side_of_the_target_is_that_of_its_singular_values_and_takes_no_gradient(g: str):
    Z = projections().requires_grad_()
    t = filtered.Filtered(g, power=2.0, total=own)(torch.zeros(N), Z)
    assert_close(t, by_svd(Z.detach(), g))
    assert not t.requires_grad


def test_a_filter_of_negative_power_whitens():
    """V s⁻¹ Vᵀ z has the second moment I, so that all directions count alike."""
    t = filtered.Filtered("poly", power=-1.0, total=own)(torch.zeros(N), projections())
    assert_close(t.T @ t, torch.eye(D, dtype=torch.float64))


def test_the_filter_s_is_directset_of_a_half_without_eps():
    F = batch_moments(projections(), own)[0]
    W = spectral_filter.weight(F, g="poly", power=1.0)
    assert_close(W / torch.linalg.eigvalsh(W)[-1], directset.weight(F, alpha=0.5, eps=0.0))


@pytest.mark.parametrize("g", G)
def test_a_filter_turns_with_the_projections(g: str):
    F, Q = batch_moments(projections(), own)[0], rotation(D, 5)
    assert_close(spectral_filter.weight(Q @ F @ Q.T, g=g), Q @ spectral_filter.weight(F, g=g) @ Q.T)


@pytest.mark.parametrize("g", G)
@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_without_a_signal_a_filter_is_the_identity(g: str, value: float):
    assert_close(spectral_filter.weight(torch.full((D, D), value), g=g, power=-1.0), torch.eye(D))
    z = torch.full((3, D), 0.0)
    assert_close(filtered.Filtered(g, power=-1.0, total=own)(z, z), z)


@pytest.mark.parametrize("g", G)
def test_a_dead_direction_counts_as_a_thousandth_of_the_strongest(g: str):
    """Zero has neither logarithm nor inverse."""
    w = spectral_filter.weight(torch.diag(torch.tensor([4.0, 0.0])), g=g, power=2.0).diag()
    assert_close(w, G[g](torch.tensor([2.0, 2e-3])))


def test_the_filtered_target_adds_up_over_processes():
    """Two halves, each told the whole's sum, give the rows of the whole."""
    Z = projections()
    whole = filtered.Filtered("log1", power=1.0, total=own)(Z, Z)
    target = filtered.Filtered("log1", power=1.0, total=lambda sums: Z.T @ Z)
    assert_close(torch.cat([target(half, half) for half in Z.tensor_split(2)]), whole)


def cellwise(predictor: partition.Partition, z: Tensor, weights: dict[tuple[int, bool], Tensor]) -> Tensor:
    """p, one sample and one plane at a time."""
    height = z @ predictor.a
    rows = []
    for i in range(len(z)):
        used = [weights[k, bool(height[i, k] >= height[:, k].mean())] for k in range(height.shape[1])]
        rows.append(sum(W @ z[i] for W in used) / len(used))
    return torch.stack(rows)


def built(planes: int = 3, rho: float = 0.3, total: Total = own) -> partition.Partition:
    torch.manual_seed(0)
    return partition.build(partition.Config(planes=planes, rho=rho), D, total).double()


def moments_of_cells(predictor: partition.Partition, z: Tensor) -> dict[tuple[int, bool], Tensor]:
    height = z @ predictor.a
    found = {}
    for k in range(height.shape[1]):
        upper = height[:, k] >= height[:, k].mean()
        for side in (True, False):
            mine = z[upper == side]
            found[k, side] = mine.T @ mine / len(mine)
    return found


def test_a_partition_is_directpred_of_each_cell_and_its_mean_over_planes():
    predictor, first, second = built(), normal(20, D, seed=1) + 1, normal(20, D, seed=2)
    predictor.refresh(torch.eye(D), z=first)
    predictor.refresh(torch.eye(D), z=second)
    one, two = (moments_of_cells(predictor, z) for z in (first, second))
    weights = {
        cell: directset.weight(0.3 * one[cell] + 0.7 * two[cell], alpha=0.5, eps=0.1, floor=directpred.FLOOR)
        for cell in one
    }
    z = normal(7, D, seed=3)
    assert_close(predictor(z), cellwise(predictor, z, weights))


def test_a_partition_whose_cells_hold_the_same_F_is_directpred():
    z = normal(20, D, seed=1)
    both = torch.cat([z, -z])  # each side of a plane through the mean mirrors the other
    predictor = built()
    predictor.refresh(torch.eye(D), z=both)
    x = normal(5, D, seed=2)
    assert_close(predictor(x), x @ directset.weight(both.T @ both / 40, alpha=0.5, eps=0.1))


def test_a_partition_starts_as_the_identity_and_ignores_a_refresh_without_projections():
    predictor, z = built(), normal(5, D, seed=0)
    assert_close(predictor(z), z)
    predictor.refresh(torch.eye(D))
    assert_close(predictor(z), z)


def test_a_cell_without_samples_keeps_its_F():
    predictor, z = built(planes=1), normal(20, D, seed=1)
    predictor.refresh(torch.eye(D), z=z)
    before = predictor.moments.clone()
    predictor.refresh(torch.eye(D), z=z[:1].repeat(5, 1))  # all at the mean: upper side
    assert not torch.equal(predictor.moments[0], before[0])
    assert torch.equal(predictor.moments[1], before[1])
    assert predictor.updates.tolist() == [2, 1]


def test_a_partition_adds_up_over_processes():
    """Two processes, each with half of the batch, get the F of the whole."""
    z = normal(21, D, seed=1)
    whole = built()
    whole.refresh(torch.eye(D), z=z)
    seen: list[list[Tensor]] = [[], []]
    halves = z.tensor_split([8])
    for rank, half in enumerate(halves):  # first pass: what each would add
        other = halves[1 - rank]
        height = torch.cat([(other @ whole.a).sum(0), torch.tensor([float(len(other))])])
        cells = whole.cells(z)[8:] if rank == 0 else whole.cells(z)[:8]
        theirs = torch.cat([torch.einsum("bc,bd,be->cde", cells, other, other).flatten(), cells.sum(0)])
        queue = [height, theirs]
        twin = built(total=lambda sums, queue=queue: sums + queue.pop(0))
        twin.refresh(torch.eye(D), z=half)
        seen[rank] = [twin.moments, twin.weights]
    assert_close(seen[0], seen[1])
    assert_close(seen[0][0], whole.moments)
