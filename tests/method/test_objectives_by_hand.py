"""Loss and gradient of every objective against a computation that shares nothing with it but the formula: 1e-10.

Both directions are added and averaged over the batch, as training does it, so the published value is held as well.
"""

from collections.abc import Callable
from functools import partial

import by_hand
import numpy as np
import pytest
import torch
from by_hand import Array, draws
from torch import Tensor

from dcp import catalogue
from dcp.method.moments import Moments, own
from dcp.method.objectives.base import Loss, Setting, alone
from dcp.method.predictors import linear

N, D = 6, 4
EXACT = {"rtol": 1e-10, "atol": 1e-12}
VIEWS = draws(N, D, seed=0), draws(N, D, seed=1)
TARGETS = draws(N, D, seed=2), 2 * draws(N, D, seed=3)
FULL = draws(9, D, seed=4).T @ draws(9, D, seed=4) / 9  # a correlation Λ


def setting(W: Tensor | None = None) -> Setting:
    predictor, moments = linear.build(linear.Config(), D, own), Moments(D, rho=0.5).double()
    moments.second.copy_(torch.tensor(FULL))
    if W is not None:
        predictor.layer.weight = torch.nn.Parameter(W)
    return Setting(predictor, moments, alone)


def built(name: str, around: Setting, **keys: object) -> Loss:
    module = catalogue.load("objectives", name)
    return module.loss if hasattr(module, "loss") else partial(module.loss_in, around, module.Config(**keys))


def tensors(arrays: tuple[Array, ...]) -> list[Tensor]:
    return [torch.tensor(x).requires_grad_() for x in arrays]


def check(value: Tensor, inputs: list[Tensor], wanted: complex, slopes: list[Array]) -> None:
    np.testing.assert_allclose(value.item(), np.real(wanted), **EXACT)
    for found, slope in zip(torch.autograd.grad(value, inputs), slopes, strict=True):
        np.testing.assert_allclose(found.numpy(), slope, **EXACT)


@pytest.mark.parametrize("name", ["vicreg", "barlow", "ntxent", "spectral_contrastive"])
@pytest.mark.parametrize("size", [0.3, 1.0, 3.0])
def test_a_loss_of_both_views(name: str, size: float) -> None:
    views = size * VIEWS[0], size * (VIEWS[0] + VIEWS[1])
    formula, loss, (z1, z2) = getattr(by_hand, name), built(name, setting()), tensors(views)
    value = (loss(z1, z1, z2) + loss(z2, z2, z1)).mean()
    check(value, [z1, z2], formula(*views), by_hand.gradients(formula, *views))


def test_the_balance_of_a_predictor_and_both_views() -> None:
    views, weight = VIEWS, draws(D, D, seed=5)
    W = torch.tensor(weight)
    around, (z1, z2) = setting(W), tensors(views)
    loss = built("balance", around)
    value = (loss(z1, z1, z2) + loss(z2, z2, z1)).mean()
    slopes = by_hand.gradients(by_hand.balance, *views, weight)
    check(value, [z1, z2, around.predictor.matrix], by_hand.balance(*views, weight), slopes)


def both(formula: Callable[[Array, Array], complex]) -> Callable[[Array, Array], complex]:
    """The mean over both directions as a function of both predictions."""
    return lambda p1, p2: (formula(p1, TARGETS[1]) + formula(p2, TARGETS[0])) / 2


@pytest.mark.parametrize("name", ["correlation", "softmax", "smooth_l1"])
def test_a_loss_of_a_prediction_and_a_target(name: str) -> None:
    formula, loss, (p1, p2) = both(getattr(by_hand, name)), built(name, setting()), tensors(VIEWS)
    t1, t2 = map(torch.tensor, TARGETS)
    value = (loss(p1, p1, t2) + loss(p2, p2, t1)).mean()
    check(value, [p1, p2], formula(*VIEWS), by_hand.gradients(formula, *VIEWS))


def test_minc() -> None:
    formula, loss, (z1, z2) = both(lambda z, t: by_hand.minc(z, t, FULL)), built("minc", setting()), tensors(VIEWS)
    t1, t2 = map(torch.tensor, TARGETS)
    value = (loss(z1, z1, t2) + loss(z2, z2, t1)).mean()
    check(value, [z1, z2], formula(*VIEWS), by_hand.gradients(formula, *VIEWS))


def test_minc_with_the_lower_triangle_is_the_generalised_hebbian_algorithm() -> None:
    """Dimension k is pushed by the dimensions up to k alone: the descent is φ'_k - Σ_{l≤k} Λ_kl φ_l, twice, by N."""
    loss, (z, _) = built("minc", setting(), form="lower"), tensors(VIEWS)
    value = loss(z, z, torch.tensor(TARGETS[0])).mean()
    slope = np.zeros((N, D))
    for n, k in np.ndindex(N, D):
        slope[n, k] = 2 / N * (sum(FULL[k, j] * VIEWS[0][n, j] for j in range(k + 1)) - TARGETS[0][n, k])
    check(value, [z], by_hand.minc(VIEWS[0], TARGETS[0], np.tril(FULL)) / 2, [slope])


@pytest.mark.parametrize("name", ["cosine", "euclidean"])
def test_the_standard_losses(name: str) -> None:
    one = {"cosine": lambda p, t: -2 * by_hand.cosine(p, t), "euclidean": lambda p, t: (p - t) @ (p - t)}[name]
    formula = both(lambda P, T: 2 * sum(map(one, P, T)) / N)
    loss, (p1, p2), (t1, t2) = built(name, setting()), tensors(VIEWS), map(torch.tensor, TARGETS)
    value = (loss(p1, p1, t2) + loss(p2, p2, t1)).mean()
    check(value, [p1, p2], formula(*VIEWS), by_hand.gradients(formula, *VIEWS))


@pytest.mark.parametrize("form", ["cosine", "euclidean"])
def test_the_iso_loss_as_printed_has_the_gradient_of_ours_and_of_straight_through(form: str) -> None:
    """Fact 20. Printed with the root of W, and with everything behind the stop-gradient held at the present z."""
    s, U = np.linalg.eigh(FULL)
    root, (now, _), (target, _) = (U * np.sqrt(s)) @ U.T, VIEWS, TARGETS

    def printed(Z: Array) -> complex:
        total = 0
        for z, z0, t in zip(Z, now, target, strict=True):
            p, q = FULL @ z0, root @ z
            a, b = np.sqrt(p @ p), np.sqrt(t @ t)
            cosine = -2 * (z @ t / (a * b) - p @ t / (2 * a**3 * b) * (q @ q))
            total += cosine if form == "cosine" else (z - (z0 + t - p)) @ (z - (z0 + t - p))
        return total

    (z, _), t = tensors(VIEWS), torch.tensor(target)
    p, slopes = z @ torch.tensor(FULL).T, by_hand.gradients(printed, now)
    check(built(f"iso_{form}", setting())(p, z, t).sum(), [z], printed(now), slopes)
    straight = built("straight_through", setting(), form=form)(p, z, t)
    check(straight.sum(), [z], built(form, setting())(p, z, t).sum().item(), slopes)
