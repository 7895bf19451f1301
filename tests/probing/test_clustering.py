import numpy as np
import pytest
import torch
from subjects import of, subject

from dcp.probing.evaluations import clustering


def run(it, seed=0, **settings):
    return clustering.evaluate(it, clustering.Config(**{"starts": 3, "resamples": 50, **settings}), seed=seed)


def test_clusters_that_are_the_classes_score_1_whatever_their_order():
    directions = torch.eye(4).repeat(20, 1) + 0.01 * torch.randn(80, 4, generator=torch.Generator().manual_seed(0))
    y = [2, 0, 3, 1] * 20
    found = run(of(directions, y, directions[:40], y[:40], 4))
    assert found.score == {"nmi": pytest.approx(1), "ari": 1, "accuracy": 1}
    assert found.predictions.tolist() == y[:40]


def test_features_without_classes_score_what_chance_gives():
    draw = torch.Generator().manual_seed(0)
    y = torch.randint(0, 5, (3000,), generator=draw).tolist()
    x = torch.randn(3000, 8, generator=draw)
    found = run(of(x[:2000], y[:2000], x[2000:], y[2000:], 5))
    assert abs(found.score["ari"]) < 0.01
    assert found.score["nmi"] < 0.02
    assert found.interval["ari"][0] < 0 < found.interval["ari"][1]
    assert found.score["accuracy"] < 0.26


def test_the_length_of_a_feature_does_not_matter():
    it, longer = subject(), subject()
    longer.train.x.mul_(torch.linspace(0.5, 4, 600).unsqueeze(1))
    one, two = run(it), run(longer)
    assert one.score == pytest.approx(two.score)


def test_clusters_and_classes_are_matched_where_most_training_images_fit():
    # cluster 0 holds classes 1, 1, 0; cluster 1 holds 1, 0; one to one the best sum is 2 + 1
    found = clustering.matched(np.array([0, 0, 0, 1, 1]), np.array([1, 1, 0, 1, 0]), 2, 2)
    assert found.tolist() == [1, 0]
    assert clustering.matched(np.array([0, 1, 2]), np.array([0, 0, 1]), 3, 2).tolist().count(-1) == 1


def test_the_match_is_made_on_training_images():
    x, y = torch.eye(2).repeat(10, 1), [0, 1] * 10
    swapped = run(of(x, y, x, [1 - c for c in y], 2))
    assert swapped.score == {"nmi": pytest.approx(1), "ari": 1, "accuracy": 0}


def test_more_clusters_than_classes_leave_some_without_a_class():
    found = run(subject(classes=3), clusters=9)
    assert -1 in found.predictions
    assert found.extra["clusters"] == 9 >= len(found.extra["test_images_by_cluster"])


def test_the_interval_of_ari_covers_what_many_test_images_give():
    large = run(subject(train=1500, test=20_000, spread=1.0)).score["ari"]
    hits = 0
    for seed in range(20):
        it = subject(train=1500, test=20_000, spread=1.0)
        rows = torch.randperm(20_000, generator=torch.Generator().manual_seed(seed))[:300]
        few = of(it.train.x, it.train.y.tolist(), it.test.x[rows], it.test.y[rows].tolist(), 7)
        low, high = run(few).interval["ari"]
        hits += low <= large <= high
    assert hits >= 17
