import pytest
import torch
from subjects import subject

from dcp.probing.evaluations import linear
from dcp.probing.evaluations._logistic import Task


def task(it=None):
    it = it or subject()
    return Task(linear.standardise(it.train.x, it.test.x)[0], it.train.y, len(it.classes))


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
