"""Losses of all views at once: loss and gradient from the formula alone (`by_hand`) to 1e-10; where they are least."""

from functools import partial
from types import SimpleNamespace

import by_hand
import numpy as np
import pytest
import torch
from by_hand import Array, draws
from small import build_predictor
from test_objectives_by_hand import check, tensors
from torch import Tensor
from torch.testing import assert_close

from dcp import catalogue
from dcp.errors import Problems
from dcp.method.moments import Moments
from dcp.method.objectives.base import LossOfViews, Setting, alone
from dcp.recipe import build
from dcp.recipe.recipe import Recipe
from dcp.training.step import why_no_graph

SHAPES = [(2, 6, 4), (4, 6, 4), (8, 6, 4), (2, 4, 7), (4, 4, 7)]  # views, images, dimensions
shapes = pytest.mark.parametrize("shape", SHAPES)


def built(name: str, **keys: object) -> LossOfViews:
    module = catalogue.load("objectives", name)
    setting = Setting(build_predictor("linear"), Moments(6, rho=0.5), alone)
    return LossOfViews(partial(module.loss_of_views, setting, module.Config(**keys)))


def views(shape: tuple[int, ...], size: float = 1.0) -> Array:
    """Of the same images: what they share, and half of it again of their own."""
    return size * (draws(*shape[1:], seed=0) + 0.5 * draws(*shape, seed=1))


@shapes
@pytest.mark.parametrize("within", [0.0, 0.3])
def test_mmcr(shape: tuple[int, ...], within: float) -> None:
    Z = views(shape)
    (z,), formula = tensors((Z,)), partial(by_hand.mmcr, within=within)
    check(built("mmcr", within=within)(z, z, z).mean(), [z], formula(Z), by_hand.gradients(formula, Z))


@shapes
@pytest.mark.parametrize("size", [0.3, 1.0, 3.0])
def test_ssl_ey(shape: tuple[int, ...], size: float) -> None:
    Z = views(shape, size)
    (z,) = tensors((Z,))
    check(built("ssl_ey")(z, z, z).mean(), [z], by_hand.ssl_ey(Z), by_hand.gradients(by_hand.ssl_ey, Z))


@shapes
@pytest.mark.parametrize("keys", [{}, {"expands": "online"}, {"eps_squared": 0.1, "invariance": 3.0}])
def test_the_coding_rate_beside_a_target_without_gradient(shape: tuple[int, ...], keys: dict[str, float]) -> None:
    P, T = views(shape), views(shape) + draws(*shape, seed=2)

    def formula(P: Array) -> complex:
        numbers = {key: value for key, value in keys.items() if key != "expands"}
        return by_hand.coding_rate(P, T, mean="expands" not in keys, **numbers)

    (p,) = tensors((P,))
    check(built("coding_rate", **keys)(p, p, torch.tensor(T)).mean(), [p], formula(P), by_hand.gradients(formula, P))


@shapes
def test_the_coding_rate_with_the_gradient_through_all_views_two_of_them_global(shape: tuple[int, ...]) -> None:
    def formula(Z: Array) -> complex:
        return by_hand.coding_rate(Z, Z[:2])

    Z = views(shape)
    (z,) = tensors((Z,))
    check(built("coding_rate")(z, z, z[:2]).mean(), [z], formula(Z), by_hand.gradients(formula, Z))


def test_with_another_target_mmcr_is_of_the_mean_of_both_centroids_as_with_momentum() -> None:
    p, t = map(torch.tensor, (views((4, 6, 4)), views((2, 6, 4)) + 1))
    unit_p, unit_t = (x / x.norm(dim=-1, keepdim=True) for x in (p, t))
    centroids = (unit_p.mean(0) + unit_t.mean(0)) / 2
    assert_close(built("mmcr")(p, p, t)[0], -torch.linalg.matrix_norm(centroids, "nuc"))


def frame(N: int, D: int) -> Tensor:
    """N unit vectors of D dimensions with xᵀ x = N/D I: the axes and their opposites, again and again."""
    axes = torch.eye(D, dtype=torch.float64)
    return torch.cat([axes, -axes]).repeat(N // (2 * D), 1)


@pytest.mark.parametrize("V", [2, 4])
def test_each_loss_of_views_is_least_where_they_agree_and_fill_the_space_and_known_at_collapse(V: int) -> None:
    N, D = 24, 3
    spread, point = frame(N, D).expand(V, N, D), frame(N, D)[:1].expand(V, N, D)
    mmcr, rate, ssl_ey = (built(name) for name in ("mmcr", "coding_rate", "ssl_ey"))
    gamma = (D + N) / (D * N)
    assert_close(mmcr(spread, spread, spread)[0].item(), -np.sqrt(N * D))
    assert_close(mmcr(point, point, point)[0].item(), -np.sqrt(N))
    assert_close(rate(spread, spread, spread)[0].item(), -gamma * D / 2 * np.log(1 + 1 / 0.5))
    assert_close(rate(point, point, point)[0].item(), -gamma / 2 * np.log(1 + D / 0.5))
    z = spread * np.sqrt(D * (N - 1) / N * (V - 1) / V)  # Cov = (V-1)/V I
    assert_close(ssl_ey(z, z, z)[0].item(), -D * (V - 1.0) ** 2)
    assert_close(ssl_ey(point, point, point)[0].item(), 0.0)
    for loss, best in ((mmcr, spread), (rate, spread), (ssl_ey, z)):
        other = best + 0.1 * torch.randn(V, N, D, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        assert loss(other, other, other).mean() > loss(best, best, best).mean()


def test_the_gradient_of_a_nuclear_norm_is_finite_where_all_projections_are_one_point() -> None:
    z = torch.ones(2, 8, 4, requires_grad=True)
    built("mmcr", within=0.5)(z, z, z).sum().backward()
    assert torch.isfinite(z.grad).all()


@pytest.mark.parametrize("name", ["mmcr", "coding_rate", "ssl_ey"])
@pytest.mark.parametrize("positives", ["semppl", "fastsiam"])
def test_positives_have_no_part_in_a_loss_of_all_views_and_are_refused(name: str, positives: str) -> None:
    target = "ema" if name != "ssl_ey" and positives == "semppl" else "shared"
    with pytest.raises(Problems, match=rf'positives.name = "{positives}" would have no part'):
        Recipe.read(f"tiny/{name}", (f"positives.name={positives}", f"target.name={target}"))


@pytest.mark.parametrize(("name", "waits"), [("mmcr", True), ("coding_rate", False), ("ssl_ey", False)])
def test_only_an_objective_that_decomposes_a_matrix_makes_the_host_wait(name: str, waits: bool) -> None:
    recipe = Recipe.read(f"tiny/{name}")
    why = why_no_graph("auto", build.method(recipe), SimpleNamespace(device=torch.device("cuda"), count=1))
    assert why == ("the objective asks the host for a value" if waits else "")


@pytest.mark.parametrize("name", ["mmcr", "coding_rate"])
def test_a_target_of_its_own_is_allowed_where_the_release_has_one(name: str) -> None:
    assert build.method(Recipe.read(f"tiny/{name}", ("target.name=ema",))).target.state_dict()
