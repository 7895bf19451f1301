"""Learning rates as functions of the step, parameter groups, and LARS against its formula in NumPy."""

import numpy as np
import pytest
import torch
from torch import nn

from dcp.method import optim, schedules


def test_a_cosine_goes_from_start_to_end_and_stays_there():
    values = [schedules.cosine(2.0, 1.0, fraction) for fraction in (-1.0, 0.0, 0.5, 1.0, 2.0)]
    assert values == pytest.approx([2.0, 2.0, 1.5, 1.0, 1.0])


def test_a_constant_rate_without_warm_up_is_the_same_at_every_step():
    rates = [schedules.warmed_up(i, peak=0.03, kind="constant", steps=5, warmup_steps=0) for i in range(5)]
    assert rates == [0.03] * 5


def test_warm_up_is_linear_and_the_cosine_begins_where_it_ends():
    rates = [schedules.warmed_up(i, peak=1.0, kind="cosine", steps=8, warmup_steps=4) for i in range(9)]
    assert rates[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert rates[6] == pytest.approx(0.5)
    assert rates[7] > rates[8] == pytest.approx(0.0)


def lars_by_formula(w, gradients, rates, *, momentum, decay, eta, scaled):
    """Weights after each step: v ← m v + lr · trust · (g + λ w), w ← w - v."""
    v, path = np.zeros_like(w), []
    for g, lr in zip(gradients, rates, strict=True):
        u = g + decay * w
        if scaled:
            u = u * eta * np.linalg.norm(w) / np.linalg.norm(u)
        v = momentum * v + lr * u
        w = w - v
        path.append(w)
    return path


@pytest.mark.parametrize("scaled", [True, False])
def test_lars_follows_its_formula(scaled: bool):
    """The rate changes on the way: momentum keeps the steps that were made, as in the BYOL release."""
    random = np.random.default_rng(0)
    w, gradients, rates = (random.normal(size=(4, 3)), random.normal(size=(6, 4, 3)), [0.1, 0.2, 0.4, 0.4, 0.2, 0.1])
    param = nn.Parameter(torch.tensor(w))
    group = {"params": [param], "weight_decay": 0.01, "scaled": scaled}
    lars = optim.Lars([group], lr=0.1, momentum=0.9, weight_decay=0.5, eta=0.02)
    path = lars_by_formula(w, gradients, rates, momentum=0.9, decay=0.01, eta=0.02, scaled=scaled)
    for g, lr, expected in zip(gradients, rates, path, strict=True):
        param.grad, lars.param_groups[0]["lr"] = torch.tensor(g), lr
        lars.step()
        np.testing.assert_allclose(param.detach().numpy(), expected, rtol=1e-12)


def test_lars_does_not_scale_where_weight_or_gradient_is_zero():
    weights = [nn.Parameter(torch.zeros(2, 2)), nn.Parameter(torch.ones(2, 2))]
    lars = optim.Lars([{"params": weights}], lr=0.1, momentum=0.9, weight_decay=0.0, eta=0.001)
    weights[0].grad, weights[1].grad = torch.ones(2, 2), torch.zeros(2, 2)
    lars.step()
    assert torch.equal(weights[0].detach(), torch.full((2, 2), -0.1))
    assert torch.equal(weights[1].detach(), torch.ones(2, 2))


def test_lars_leaves_a_parameter_without_gradient_alone():
    still = nn.Parameter(torch.ones(2, 2))
    lars = optim.Lars([{"params": [still]}], lr=0.1, momentum=0.9, weight_decay=0.1, eta=0.001)
    lars.step()
    assert torch.equal(still.detach(), torch.ones(2, 2))


def groups(**options: object) -> list[dict[str, object]]:
    online = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    defaults = dict(weight_decay=4e-4, excludes=False, predictor_decay=None, lr_factor=1.0, constant_lr=False)
    return optim.groups(online, options.pop("predictor", nn.Linear(3, 3)), **{**defaults, **options})


def test_all_parameters_of_the_small_data_recipe_decay():
    branch, predictor = groups()
    assert (len(branch["params"]), len(predictor["params"])) == (4, 2)
    assert branch["weight_decay"] == predictor["weight_decay"] == 4e-4


def test_norms_and_biases_can_be_left_out_of_decay_and_scaling():
    found = groups(excludes=True)
    assert [(len(g["params"]), g["weight_decay"], g["scaled"]) for g in found] == [
        (1, 4e-4, True),
        (3, 0.0, False),
        (1, 4e-4, True),
        (1, 0.0, False),
    ]


def test_the_predictor_can_have_its_own_decay_even_none():
    assert [g["weight_decay"] for g in groups(predictor_decay=0.1)] == [4e-4, 0.1]
    assert [g["weight_decay"] for g in groups(predictor_decay=0.0)] == [4e-4, 0.0]


def test_a_predictor_without_parameters_has_no_group():
    assert len(groups(predictor=nn.Identity())) == 1


def test_parameters_without_gradient_are_in_no_group():
    assert len(groups(predictor=nn.Linear(3, 3).requires_grad_(False))) == 1


def rates_at(step: int, **options: object) -> tuple[float, list[float]]:
    optimizer = optim.build("sgd", groups(**options), lr=1.0, momentum=0.9, weight_decay=0.0, eta=0.1)
    told = optim.set_rates(optimizer, step, peak=2.0, kind="cosine", steps=100, warmup_steps=0)
    return told, [group["lr"] for group in optimizer.param_groups]


def test_the_predictors_rate_is_a_multiple_of_the_branchs():
    told, rates = rates_at(50, lr_factor=10.0)
    assert told == pytest.approx(1.0)
    assert rates == pytest.approx([1.0, 10.0])


def test_a_constant_predictor_keeps_its_rate_while_the_branchs_falls():
    told, rates = rates_at(99, constant_lr=True)
    assert told < 0.001
    assert rates == [told, 2.0]


@pytest.mark.parametrize(
    ("name", "kind"), [("sgd", torch.optim.SGD), ("lars", optim.Lars), ("adamw", torch.optim.AdamW)]
)
def test_every_optimizer_keeps_the_groups_own_decay(name: str, kind: type):
    found = groups(excludes=True)
    optimizer = optim.build(name, found, lr=0.1, momentum=0.8, weight_decay=0.3, eta=0.1)
    assert isinstance(optimizer, kind)
    assert [g["weight_decay"] for g in optimizer.param_groups] == [4e-4, 0.0, 4e-4, 0.0]


def test_weight_decay_of_sgd_is_coupled():
    """One step: w - lr (g + λ w)."""
    param = nn.Parameter(torch.tensor([2.0]))
    sgd = optim.build("sgd", [{"params": [param]}], lr=0.1, momentum=0.9, weight_decay=0.5, eta=0.0)
    param.grad = torch.tensor([1.0])
    sgd.step()
    assert param.item() == pytest.approx(2 - 0.1 * (1 + 0.5 * 2))
