import pytest
import torch
from subjects import subject

from dcp.data import splits
from dcp.probing.evaluations import _logistic, linear, lowlabel
from dcp.probing.evaluations._logistic import Curvature, Task


def test_each_class_gives_as_many_images_and_all_it_has_where_it_has_fewer():
    y = torch.tensor([0] * 50 + [1] * 30 + [2] * 2)[torch.randperm(82, generator=torch.Generator().manual_seed(0))]
    rows = splits.few(y, 5, seed=3)
    assert y[rows].bincount().tolist() == [5, 5, 2]
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert rows.tolist() != splits.few(y, 5, seed=4).tolist()


def test_all_labels_give_what_the_linear_evaluation_gives():
    it = subject(classes=4)
    few = lowlabel.evaluate(it, lowlabel.Config(shares=(), per_class=(1000,), draws=2, l2=(0.01,)), seed=0)
    assert few.score["top1_1000_a_class"] == linear.evaluate(it, linear.Config(l2=(0.01,)), seed=0).score["top1"]
    assert few.extra["top1_1000_a_class"]["std_over_draws"] == 0


def test_more_labels_are_better_and_the_score_is_the_mean_over_draws():
    found = lowlabel.evaluate(subject(train=3000, test=1000), lowlabel.Config(per_class=(1,)), seed=0)
    order = [found.score[name] for name in ("top1_1_a_class", "top1_1pct", "top1_10pct")]
    assert order == sorted(order)
    assert order[0] + 0.1 < order[2]
    for name, value in found.score.items():
        told = found.extra[name]
        assert len(set(told["draws"])) > 1
        assert value == pytest.approx(sum(told["draws"]) / 5) == told["mean"]
        low, high = found.interval[name]
        assert low < value < high


def test_with_one_image_a_class_the_strongest_penalty_is_taken():
    found = lowlabel.evaluate(subject(), lowlabel.Config(shares=(), per_class=(1,)), seed=0)
    assert found.extra["top1_1_a_class"]["l2"] == [1.0] * 5


def test_every_image_is_held_out_once_and_every_class_is_in_every_fold():
    y = subject(train=200).train.y
    parts = list(lowlabel.folds(y, 5))
    assert sorted(torch.cat([held for _, held in parts]).tolist()) == list(range(200))
    for fitted, held in parts:
        assert not set(fitted.tolist()) & set(held.tolist())
        assert (y[held].bincount(minlength=7) - y.bincount() / 5).abs().max() <= 1


def test_the_images_of_a_class_with_fewer_images_than_folds_lie_in_as_many_folds_as_there_are_of_them():
    y = torch.tensor([0, 0, 0, 1, 2, 2, 2, 2, 2, 2, 2])
    held_out = [y[held].bincount(minlength=3).tolist() for _, held in lowlabel.folds(y, 5)]
    assert [sum(of > 0 for of in fold) for fold in zip(*held_out, strict=True)] == [3, 1, 5]


def test_the_penalty_is_that_of_the_most_accurate_folds():
    it = subject(train=60, dim=40, spread=3.0)
    task = Task(linear.standardise(it.train.x, it.test.x)[0], it.train.y, 7)
    config, curvature = lowlabel.Config(l2=(1.0, 1e-4)), Curvature.of(task.x)
    right = {}
    for l2 in config.l2:
        start = torch.zeros(7, 41, dtype=torch.float64)
        fits = [
            (_logistic.fit(task.part(fitted), l2, curvature, start, 1e-6, 500).weight, task.part(held))
            for fitted, held in lowlabel.folds(it.train.y, 5)
        ]
        right[l2] = sum(_logistic.accuracy(weight, held) * len(held.y) for weight, held in fits)
    assert right[1.0] != right[1e-4]
    assert lowlabel.strength(task, curvature, config) == max(right, key=right.get)


def test_the_draws_are_others_for_another_seed():
    one, two = (lowlabel.evaluate(subject(), lowlabel.Config(draws=2), seed=seed).extra for seed in (0, 1))
    assert one["top1_1pct"]["draws"] != two["top1_1pct"]["draws"]
