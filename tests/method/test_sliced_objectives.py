"""SIGReg and VISReg beside numpy and loops, from their formulas alone; slices beside whole numbers of Python."""

import math
from functools import partial
from statistics import NormalDist

import by_hand
import numpy as np
import pytest
import torch
from by_hand import Array, draws
from scipy import integrate, stats
from test_objectives_by_hand import EXACT, check, setting

from dcp import catalogue
from dcp.errors import Problems
from dcp.method.objectives import sigreg, visreg
from dcp.method.objectives._slices import directions
from dcp.method.objectives.base import LossOfViews
from dcp.recipe.recipe import Recipe

N, D, K, STEP = 5, 3, 4, 5
WORD = 2**64 - 1


def scrambled(word: int) -> int:
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & WORD
    return word ^ (word >> 31)


def slices(step: int, dim: int = D, count: int = K) -> Array:
    half, golden = (dim * count + 1) // 2, 0x9E3779B97F4A7C15
    start, cosines, sines = scrambled(step * golden & WORD), [], []
    for k in range(1, half + 1):
        word = scrambled((start + k * golden) & WORD)
        u, angle = ((word >> 32) + 0.5) / 2**32, 2 * math.pi * ((word & 0xFFFFFFFF) + 0.5) / 2**32
        cosines.append(math.sqrt(-2 * math.log(u)) * math.cos(angle))
        sines.append(math.sqrt(-2 * math.log(u)) * math.sin(angle))
    A = np.array((cosines + sines)[: dim * count]).reshape(dim, count)
    return A / np.sqrt((A**2).sum(0))


def invariance(Z: Array, globals_: int) -> complex:
    centre = sum(Z[:globals_]) / globals_
    return sum(((view - centre) ** 2).sum() for view in Z) / Z.size


def by_hand_sigreg(Z: Array, globals_: int) -> complex:
    """With the default λ."""
    total, A = 0, slices(STEP)
    for view in Z:
        for a in A.T:
            x = view @ a
            for node in range(17):
                s, width = 3 * node / 16, 3 / 16 * (1 if 0 < node < 16 else 0.5)
                normal = math.exp(-(s**2) / 2)
                real, imaginary = sum(np.cos(s * x)) / len(x), sum(np.sin(s * x)) / len(x)
                total += 2 * len(x) * width * normal * ((real - normal) ** 2 + imaginary**2)
    return 0.95 * invariance(Z, globals_) + 0.05 * total / (len(Z) * K)


def by_hand_visreg(Z: Array, globals_: int) -> complex:
    """With the default λ."""
    total, A = 0, slices(STEP)
    q = [NormalDist().inv_cdf(k / (Z.shape[1] + 1)) for k in range(1, Z.shape[1] + 1)]
    for view in Z:
        mean = view.sum(0) / len(view)
        centred = view - mean
        std = np.sqrt((centred**2).sum(0) / len(view))
        total += ((1 - std) ** 2).sum() / D + (mean**2).sum() / D
        for a in A.T:
            x = np.sort(centred / np.real(std) @ a)  # what a complex step adds to std is dropped: no gradient
            total += ((x - q) ** 2).sum() / (len(x) * K)
    return 0.4 * invariance(Z, globals_) + 0.6 * total / len(Z)


def built(name: str, step: int = STEP, **keys: object) -> LossOfViews:
    module, around = catalogue.load("objectives", name), setting()
    around.moments.updates.fill_(step)
    return LossOfViews(partial(module.loss_of_views, around, module.Config(**keys)))


@pytest.mark.parametrize(("views", "globals_"), [(2, 2), (4, 4), (8, 2)])
@pytest.mark.parametrize("size", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("name", ["sigreg", "visreg"])
def test_value_and_gradient_are_those_of_the_formula(name: str, size: float, views: int, globals_: int) -> None:
    Z = size * (0.5 + draws(N, D, seed=0) + 0.6 * draws(views, N, D, seed=1))
    formula = {"sigreg": by_hand_sigreg, "visreg": by_hand_visreg}[name]
    z = torch.tensor(Z).requires_grad_()
    value = built(name, slices=K)(z, z, z[:globals_]).mean()
    check(value, [z], formula(Z, globals_), by_hand.gradients(lambda Z: formula(Z, globals_), Z))


@pytest.mark.parametrize(("step", "dim", "count"), [(0, 4, 9), (1, 5, 7), (10**12, 4, 9)])
def test_slices_are_what_whole_numbers_of_python_give(step: int, dim: int, count: int) -> None:
    found = directions(torch.tensor(step), dim, count, torch.float64)
    np.testing.assert_allclose(found.numpy(), slices(step, dim, count), **EXACT)


def test_slices_are_uniform_on_the_sphere_and_new_at_each_step() -> None:
    A = torch.cat([directions(torch.tensor(step), 3, 1000, torch.float64) for step in range(20)], dim=1)
    assert stats.kstest(A.flatten().numpy(), "uniform", args=(-1, 2)).pvalue > 1e-3  # Archimedes: so in 3 dimensions
    assert len(A.unique(dim=1).T) == 20_000
    single = directions(torch.tensor(0), 3, 1000, torch.float32)
    assert (single.double() - directions(torch.tensor(0), 3, 1000, torch.float64)).abs().max() < 1e-5


def test_a_step_later_the_loss_has_other_slices_and_the_same_step_has_the_same() -> None:
    z = torch.tensor(draws(2, N, D, seed=0))
    for name in ("sigreg", "visreg"):
        now, again, later = (built(name, step, slices=K)(z, z, z) for step in (3, 3, 4))
        assert torch.equal(now, again)
        assert not torch.allclose(now, later)


def test_the_statistic_is_near_the_integral_and_less_for_normal_samples_than_for_others() -> None:
    normal = np.random.default_rng(0).standard_normal(400)
    samples = np.stack([normal, np.sign(normal), 2 * normal, normal + 1], axis=1)
    found = sigreg.epps_pulley(torch.tensor(samples)).numpy()

    def error(s: float, x: Array) -> float:
        return abs(np.exp(1j * s * x).mean() - np.exp(-(s**2) / 2)) ** 2 * np.exp(-(s**2) / 2)

    integrals = [len(x) * integrate.quad(error, -3, 3, args=(x,))[0] for x in samples.T]
    np.testing.assert_allclose(found, integrals, rtol=0.01)
    assert found[1:].min() > 10 * found[0]


def test_what_is_normal_by_its_quantiles_has_no_shape_left() -> None:
    q = visreg.quantiles(401, torch.zeros((), dtype=torch.float64))
    one = torch.ones(1, 1, dtype=torch.float64)
    for size in (1.0, 1e-3, 30.0):
        variance, shape, centre = visreg.terms(size * q[None, :, None] + 2, one)
        assert shape < 1e-3
        assert centre.item() == pytest.approx(4)
        assert variance.item() == pytest.approx((1 - size * q.square().mean().sqrt().item()) ** 2)


@pytest.mark.parametrize("name", ["sigreg", "visreg"])
def test_projections_that_are_all_the_same_give_a_finite_gradient(name: str) -> None:
    z = torch.full((2, N, D), 0.5, requires_grad=True)
    loss = built(name)(z, z, z).mean()
    (slope,) = torch.autograd.grad(loss, z)
    assert loss.isfinite()
    assert slope.isfinite().all()


@pytest.mark.parametrize("name", ["sigreg", "visreg"])
@pytest.mark.parametrize(("key", "said"), [("target.name=ema", "gradient"), ("positives.name=fastsiam", "all views")])
def test_what_has_no_part_in_a_loss_of_all_views_is_refused(name: str, key: str, said: str) -> None:
    with pytest.raises(Problems, match=said):
        Recipe.read(f"tiny/{name}", (key,))
