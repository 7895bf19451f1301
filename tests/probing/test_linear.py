import dataclasses

import numpy as np
import pytest
import torch
from subjects import subject

from dcp.data import splits
from dcp.probing.evaluations import _logistic, linear
from dcp.probing.evaluations._logistic import Curvature, Task
from dcp.probing.evaluations.base import Features


def task(it=None):
    it = it or subject()
    return Task(linear.standardise(it.train.x, it.test.x)[0], it.train.y, len(it.classes))


def peer(it, l2):
    """scikit-learn on the same standardised features: its predictions and its value of our objective."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(it.train.x.double().numpy())
    x, x_test = (scaler.transform(part.x.double().numpy()) for part in (it.train, it.test))
    y = it.train.y.numpy()
    model = LogisticRegression(C=1 / (l2 * len(y)), max_iter=10_000, tol=1e-9).fit(x, y)
    loss = -model.predict_log_proba(x)[np.arange(len(y)), y].mean() + l2 / 2 * (model.coef_**2).sum()
    return model.predict(x_test), loss


@pytest.mark.parametrize("l2", [1.0, 1e-2, 1e-4])
@pytest.mark.parametrize("spread", [2.0, 0.3])
@pytest.mark.parametrize(("train", "dim"), [(500, 20), (5000, 512)])
def test_the_optimum_is_that_of_scikit_learn(l2, spread, train, dim):
    it = subject(train=train, test=3000, dim=dim, spread=spread)
    expected, loss = peer(it, l2)
    scores = linear.evaluate(it, linear.Config(l2=(l2,)), seed=0)
    assert scores.score["top1"] == pytest.approx((expected == it.test.y.numpy()).mean(), abs=0.002)
    assert (scores.predictions.numpy() == expected).mean() > 0.995
    assert loss - 1e-7 < scores.extra["objective"] < loss + 5e-6
    assert scores.extra["converged"]


def test_more_dimensions_than_images_converge_too():
    it = subject(train=60, dim=100)
    assert linear.evaluate(it, linear.Config(l2=(1e-3,)), seed=0).extra["objective"] == pytest.approx(
        peer(it, 1e-3)[1], abs=1e-5
    )


def test_a_fit_that_ran_out_of_iterations_says_so():
    assert not linear.evaluate(subject(), linear.Config(max_iterations=2), seed=0).extra["converged"]


def test_the_gradient_is_that_of_autograd_whatever_the_pieces(monkeypatch):
    it = task()
    weight = torch.randn(7, 13, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    leaf = weight.clone().requires_grad_()
    logits = it.x.double() @ leaf[:, :-1].T + leaf[:, -1]
    loss = torch.nn.functional.cross_entropy(logits, it.y) + 0.3 / 2 * leaf[:, :-1].square().sum()
    loss.backward()
    for size in (_logistic.LOGITS_AT_A_TIME, 7 * 33):
        monkeypatch.setattr(_logistic, "LOGITS_AT_A_TIME", size)
        value, gradient = _logistic.objective(weight, it, 0.3)
        assert value == pytest.approx(loss.item(), rel=1e-6)
        assert torch.allclose(gradient, leaf.grad, atol=1e-6)


def test_the_optimum_does_not_depend_on_start_or_curvature():
    it = task()
    flat = Curvature(torch.ones(12, dtype=torch.float64), torch.eye(12, dtype=torch.float64))
    far = torch.randn(7, 13, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    one = _logistic.fit(it, 0.01, Curvature.of(it.x), torch.zeros_like(far), 1e-6, 1000)
    two = _logistic.fit(it, 0.01, flat, far, 1e-6, 1000)
    # the bias is known up to a constant, which no class notices
    for fit in (one, two):
        fit.weight[:, -1] -= fit.weight[:, -1].mean()
    assert torch.allclose(one.weight, two.weight, atol=1e-3)


@pytest.mark.parametrize("method", ["lbfgs", "adam"])
def test_standardisation_knows_the_training_images_only(method):
    it = subject()
    outlier = dataclasses.replace(it, test=Features(it.test.x.clone(), it.test.y))
    outlier.test.x[0] = 1e6
    config = linear.Config(method=method, epochs=2)
    one, two = (linear.evaluate(each, config, seed=0).predictions for each in (it, outlier))
    assert torch.equal(one[1:], two[1:])


def test_features_are_standardised_with_mean_and_deviation_of_train():
    it = subject()
    train, test = linear.standardise(it.train.x, it.test.x)
    assert torch.allclose(train.mean(0), torch.zeros(12), atol=1e-5)
    assert torch.allclose(train.std(0, correction=0), torch.ones(12), atol=1e-5)
    mean, std = it.train.x.mean(0), it.train.x.std(0, correction=0)
    assert torch.allclose(test, (it.test.x - mean) / std, atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 3.3, 1e6])
def test_a_dimension_that_is_constant_in_train_plays_no_part(value):
    it, dead = subject(), subject()
    dead.train.x[:, 2], dead.test.x[:, 2] = value, torch.randn(200) + value
    without = [dim for dim in range(12) if dim != 2]
    for part in (it.train, it.test):
        part.x[:, 2] = 0
    assert (linear.standardise(dead.train.x, dead.test.x)[1][:, 2] == 0).all()
    assert dead.train.x[:, without].equal(it.train.x[:, without])
    assert torch.equal(*(linear.evaluate(each, linear.Config(), seed=0).predictions for each in (it, dead)))


def test_the_test_features_do_not_choose_either():
    it = subject(spread=4.0)
    other = dataclasses.replace(it, test=Features(torch.randn(9, 12), it.test.y[:9]))
    assert linear.evaluate(it, linear.Config(), seed=0).extra == linear.evaluate(other, linear.Config(), seed=0).extra


def test_the_strength_is_the_most_accurate_on_held_out_images_and_the_strongest_of_equals():
    extra = linear.evaluate(subject(train=80, dim=60, spread=4.0), linear.Config(), seed=1).extra
    best = max(row["top1"] for row in extra["held_out"])
    assert extra["l2"] == max(row["l2"] for row in extra["held_out"] if row["top1"] == best)
    assert [row["l2"] for row in extra["held_out"]] == sorted(linear.Config().l2, reverse=True)


def test_held_out_accuracies_are_those_of_images_that_were_not_fitted():
    it = task(subject(train=120, dim=100, spread=5.0))
    config = linear.Config(l2=(1.0, 1e-2))
    extra = linear.optimum(it, config, seed=3)[1]
    fitted, held = (it.part(rows) for rows in splits.hold_out(it.y, 0.1, 3))
    for row in extra["held_out"]:
        start = torch.zeros(7, 101, dtype=torch.float64)
        fit = _logistic.fit(fitted, row["l2"], Curvature.of(it.x), start, 1e-5, 1000)
        assert row["top1"] == _logistic.accuracy(fit.weight, held) < _logistic.accuracy(fit.weight, fitted)


def test_noise_wants_a_strong_penalty_and_clean_classes_a_weak_one():
    noisy, clean = subject(train=120, dim=100, spread=5.0), subject(train=2000, dim=8, spread=1.5)
    strong, weak = (linear.evaluate(it, linear.Config(), seed=0).extra["l2"] for it in (noisy, clean))
    assert strong >= 0.1 > weak


def test_a_choice_at_the_edge_of_the_grid_says_so():
    it = subject(train=120, dim=100, spread=5.0)
    assert linear.evaluate(it, linear.Config(l2=(1e-3, 1e-4)), seed=0).extra["l2_at_edge"]
    assert not linear.evaluate(it, linear.Config(l2=(1e-3,)), seed=0).extra["l2_at_edge"]


def test_a_wider_grid_in_another_order_gives_the_same_score():
    it = subject()
    one, two = (linear.Config(l2=l2) for l2 in ((1.0, 0.01, 1e-4), (1e-4, 1.0, 0.01)))
    one, two = (linear.evaluate(it, config, seed=0) for config in (one, two))
    assert (one.score, one.extra) == (two.score, two.extra)


@pytest.mark.parametrize("share", [0.1, 0.25])
def test_the_held_out_part_has_each_class_in_its_share(share):
    y = subject(train=1000).train.y
    fitted, held = splits.hold_out(y, share, seed=3)
    assert sorted([*fitted.tolist(), *held.tolist()]) == list(range(1000))
    assert len(held) == 1000 * share
    for c in range(7):
        assert abs(int((y[held] == c).sum()) - share * int((y == c).sum())) <= 1


def test_the_held_out_part_is_another_for_another_seed_and_never_empty():
    y = subject(train=1000).train.y
    parts = {tuple(splits.hold_out(y, 0.1, seed)[1].tolist()) for seed in (0, 0, 1)}
    assert len(parts) == 2
    for n in range(2, 12):
        assert all(len(part) > 0 for share in (0.01, 0.5, 0.99) for part in splits.hold_out(y[:n], share, 0))


def adam_by_torch(it, epochs):
    """The release's protocol, written with torch's own Linear; order and start as in `linear.adam`."""
    draw = torch.Generator().manual_seed(0)
    start = torch.empty(it.classes, it.x.shape[1] + 1).uniform_(-1, 1, generator=draw) / it.x.shape[1] ** 0.5
    layer = torch.nn.Linear(it.x.shape[1], it.classes)
    layer.weight.data, layer.bias.data = start[:, :-1].clone(), start[:, -1].clone()
    optimizer = torch.optim.Adam(layer.parameters(), lr=3e-4, weight_decay=1e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(it.y), generator=draw).split(128):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(layer(it.x[rows]), it.y[rows]).backward()
            optimizer.step()
    return torch.cat([layer.weight.data, layer.bias.data.unsqueeze(1)], dim=1)


def test_adam_takes_the_steps_of_the_released_protocol():
    weights = list(linear.adam(task(), linear.Config(method="adam", epochs=4), seed=0))
    assert len(weights) == 4
    assert torch.allclose(weights[-1], adam_by_torch(task(), 4), atol=1e-5)


def test_adam_scores_the_last_epoch_and_only_tells_the_best_one():
    it = subject(spread=4.0)
    scores = linear.evaluate(it, linear.Config(method="adam", epochs=12, lr=0.1), seed=0)
    curve = [
        linear.evaluate(it, linear.Config(method="adam", epochs=n, lr=0.1), seed=0).score["top1"] for n in range(1, 13)
    ]
    assert scores.score["top1"] == curve[-1] < max(curve) == scores.extra["top1_best_on_test"]
    assert curve[scores.extra["epoch_best_on_test"] - 1] == max(curve)


def test_enough_steps_of_adam_come_near_to_the_optimum():
    it = subject(train=3000, test=2000)
    one, two = (
        linear.evaluate(it, linear.Config(method=method, lr=1e-2), seed=0).score["top1"] for method in ("lbfgs", "adam")
    )
    assert one == pytest.approx(two, abs=0.02)
    assert one > 0.5
