import dataclasses

import numpy as np
import pytest
import torch
from subjects import of, subject

from dcp.errors import RequestError
from dcp.probing.evaluations import knn
from dcp.probing.evaluations.base import Features


def by_hand(it, k, temperature):
    """One image after the other, in float64, in numpy: [n, K] votes."""
    bank, query = (part.x.numpy().astype(np.float64) for part in (it.train, it.test))
    bank = bank / np.linalg.norm(bank, axis=1, keepdims=True)
    votes = np.zeros((len(query), len(it.classes)))
    for i, x in enumerate(query):
        cosine = bank @ (x / np.linalg.norm(x))
        for j in np.argsort(-cosine, kind="stable")[:k]:
            votes[i, it.train.y[j]] += np.exp(cosine[j] / temperature)
    return votes


@pytest.mark.parametrize(("k", "temperature"), [(1, 0.07), (20, 0.07), (200, 0.1), (600, 1.0)])
def test_the_vote_is_that_of_an_image_by_image_count(k, temperature):
    it = subject()
    votes = by_hand(it, k, temperature)
    scores = knn.evaluate(it, knn.Config(k=k, temperature=temperature), seed=0)
    assert scores.predictions.tolist() == votes.argmax(1).tolist()
    order = np.where(np.sort(votes)[:, ::-1] > 0, np.argsort(-votes, kind="stable"), -1)[:, :5]
    assert scores.score["top5"] == (order == it.test.y.numpy()[:, None]).any(1).mean()


@pytest.mark.parametrize(("k", "temperature"), [(1, 0.07), (20, 0.07), (200, 0.1)])
def test_every_prediction_is_that_of_scikit_learn(k, temperature):
    from sklearn.neighbors import KNeighborsClassifier

    it = subject(train=5000, test=1000, dim=512, classes=10)
    peer = KNeighborsClassifier(k, weights=lambda distance: np.exp((1 - distance) / temperature), metric="cosine")
    expected = peer.fit(it.train.x.numpy(), it.train.y.numpy()).predict(it.test.x.numpy())
    found = knn.evaluate(it, knn.Config(k=k, temperature=temperature), seed=0)
    assert found.predictions.tolist() == expected.tolist()


def test_of_several_the_best_by_leave_one_out_is_taken():
    it = subject()
    found = knn.evaluate(it, knn.Config(k=(1, 5, 40), temperature=(0.05, 0.5)), seed=0).extra
    for row in found["left_out"]:
        assert row["top1"] == by_leave_one_out(it, row["k"], row["temperature"])
    best = max(row["top1"] for row in found["left_out"])
    assert (found["k"], found["temperature"]) == next(
        (row["k"], row["temperature"]) for row in found["left_out"] if row["top1"] == best
    )


def by_leave_one_out(it, k, temperature):
    """Share of the training images that all others classify rightly, one after the other, in float64."""
    x, y = it.train.x.double().numpy(), it.train.y.numpy()
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    cosine = x @ x.T
    np.fill_diagonal(cosine, -np.inf)
    right = 0
    for i in range(len(x)):
        votes = np.zeros(7)
        for j in np.argsort(-cosine[i], kind="stable")[:k]:
            votes[y[j]] += np.exp(cosine[i, j] / temperature)
        right += votes.argmax() == y[i]
    return right / len(x)


def test_the_test_images_do_not_choose_and_the_choice_is_what_is_scored():
    it = subject()
    none = dataclasses.replace(it, test=Features(torch.randn(9, 12), it.test.y[:9]))
    found, other = (knn.evaluate(one, knn.Config(), seed=0) for one in (it, none))
    assert found.extra == other.extra
    alone = knn.Config(k=found.extra["k"], temperature=found.extra["temperature"])
    assert torch.equal(knn.evaluate(it, alone, seed=0).predictions, found.predictions)


def test_no_more_queries_choose_than_asked_for_and_each_class_gives_its_share(monkeypatch):
    seen = []
    search = knn.left_out
    monkeypatch.setattr(knn, "left_out", lambda *all_: seen.append(all_[-1]) or search(*all_))
    it = subject()
    knn.evaluate(it, knn.Config(queries=70), seed=0)
    assert len(seen[0].unique()) == len(seen[0]) == 70
    for c in range(7):
        assert abs(int((it.train.y[seen[0]] == c).sum()) - 70 * float((it.train.y == c).double().mean())) <= 1


@pytest.mark.parametrize(("n", "expected"), [(600, [10, 20, 50, 100, 200]), (60, [10, 20, 50]), (4, [4])])
def test_a_grid_is_cut_to_the_training_images(n, expected):
    assert sorted({k for k, _ in knn.Config().grid(n)}) == expected
    assert knn.evaluate(subject(train=n), knn.Config(), seed=0).extra["k"] in expected


def test_pieces_give_what_the_whole_gives_and_bound_the_memory(monkeypatch):
    whole = knn.evaluate(subject(), knn.Config(), seed=0)
    sizes, search = [], knn.nearest
    monkeypatch.setattr(knn, "nearest", lambda query, *more: sizes.append(len(query)) or search(query, *more))
    monkeypatch.setattr(knn, "SIMILARITIES_AT_A_TIME", 7 * 600)
    pieces = knn.evaluate(subject(), knn.Config(), seed=0)
    assert torch.equal(pieces.predictions, whole.predictions)
    assert pieces.extra == whole.extra
    assert (max(sizes), sum(sizes)) == (7, 600 + 200)


def test_of_equally_near_neighbours_the_first_in_the_training_set_vote():
    # five images in the same place, three may vote: classes 1, 1, 0 come first
    it = of(torch.ones(5, 2), [1, 1, 0, 0, 0], torch.ones(1, 2), [0], 2)
    assert knn.evaluate(it, knn.Config(k=3), seed=0).predictions.tolist() == [1]


def test_of_equally_voted_classes_the_lowest_number_wins():
    it = of(torch.ones(4, 2), [3, 1, 1, 3], torch.ones(1, 2), [0], 4)
    assert knn.evaluate(it, knn.Config(k=4), seed=0).predictions.tolist() == [1]


def test_a_class_without_a_neighbour_is_no_top5_hit():
    it = of(torch.eye(6), [0, 1, 2, 3, 4, 5], torch.eye(6)[:1], [1], 6)
    assert knn.evaluate(it, knn.Config(k=1), seed=0).score == {"top1": 0.0, "top5": 0.0}


def test_a_tiny_temperature_is_the_nearest_neighbour_and_does_not_overflow():
    it = subject()
    nearest, cold = (knn.Config(k=1), knn.Config(k=20, temperature=1e-6))
    assert torch.equal(*(knn.evaluate(it, config, seed=0).predictions for config in (nearest, cold)))


def test_more_neighbours_than_training_images_are_refused_with_both_numbers():
    with pytest.raises(RequestError) as caught:
        knn.evaluate(subject(train=19), knn.Config(k=20), seed=0)
    what = "20 neighbours were asked for, but there are 19 training images (probe.knn.k)"
    assert str(caught.value) == f"error[too-many-neighbours]: {what}\n  k up to 19"
