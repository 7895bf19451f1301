import numpy as np
import pytest
import torch
from subjects import of, subject

from dcp.errors import RequestError
from dcp.evaluations import knn


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


def test_agrees_with_scikit_learn_on_the_same_weights():
    from sklearn.neighbors import KNeighborsClassifier

    it = subject()
    peer = KNeighborsClassifier(20, weights=lambda distance: np.exp((1 - distance) / 0.07), metric="cosine")
    expected = peer.fit(it.train.x.numpy(), it.train.y.numpy()).predict(it.test.x.numpy())
    assert knn.evaluate(it, knn.Config(), seed=0).predictions.tolist() == expected.tolist()


def test_pieces_give_what_the_whole_gives(monkeypatch):
    it = subject()
    whole = knn.evaluate(it, knn.Config(), seed=0).predictions
    monkeypatch.setattr(knn, "SIMILARITIES_AT_A_TIME", 7 * len(it.train))
    assert torch.equal(knn.evaluate(it, knn.Config(), seed=0).predictions, whole)


def test_memory_is_bounded_by_the_pieces(monkeypatch):
    sizes = []
    search = knn.nearest
    monkeypatch.setattr(knn, "nearest", lambda query, *more: sizes.append(len(query)) or search(query, *more))
    monkeypatch.setattr(knn, "SIMILARITIES_AT_A_TIME", 7 * 600)
    knn.evaluate(subject(), knn.Config(), seed=0)
    assert max(sizes) == 7
    assert sum(sizes) == 200


def test_the_length_of_a_feature_does_not_matter():
    it, longer = subject(), subject()
    longer.train.x.mul_(torch.linspace(0.5, 4, 600).unsqueeze(1))
    assert torch.equal(*(knn.evaluate(one, knn.Config(), seed=0).predictions for one in (it, longer)))


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
        knn.evaluate(subject(train=19), knn.Config(), seed=0)
    what = "20 neighbours were asked for, but there are 19 training images (probe.knn.k)"
    assert str(caught.value) == f"error[too-many-neighbours]: {what}\n  k up to 19"
