import pytest
import torch
from subjects import of, subject

from dcp.probing.evaluations import retrieval


def run(it, **settings):
    return retrieval.evaluate(it, retrieval.Config(**settings), seed=0)


def test_average_precision_is_that_of_scikit_learn():
    from sklearn.metrics import average_precision_score

    it = subject()
    found = run(it).arrays["map"]
    gallery, query = (torch.nn.functional.normalize(part.x.double()) for part in (it.train, it.test))
    for i in range(0, 200, 7):
        expected = average_precision_score((it.train.y == it.test.y[i]).numpy(), (gallery @ query[i]).numpy())
        assert float(found[i]) == pytest.approx(expected, abs=1e-5)


def test_a_ranking_by_hand():
    # the query stands beside class 0, then 1, then 0: precision 1 at place 1, 2/3 at place 3
    gallery = torch.tensor([[1.0, 0.0], [1.0, 0.5], [1.0, 1.0]])
    found = run(of(gallery, [0, 1, 0], torch.tensor([[2.0, 0.0]]), [0], 2), at=(1, 2))
    assert found.score["map"] == pytest.approx((1 + 2 / 3) / 2)
    assert (found.score["precision_at_1"], found.score["precision_at_2"]) == (1, 0.5)


def test_precision_at_1_is_the_nearest_neighbour():
    from dcp.probing.evaluations import knn

    it = subject()
    nearest = knn.evaluate(it, knn.Config(k=1, temperature=0.1), seed=0)
    assert run(it).score["precision_at_1"] == nearest.score["top1"]


def test_equally_near_images_stand_in_the_order_of_the_training_set():
    x = torch.ones(4, 2)
    first, last = (run(of(x, y, x[:1], [0], 2)).score["map"] for y in ([0, 1, 1, 1], [1, 1, 1, 0]))
    assert (first, last) == (1, 0.25)


def test_pieces_give_what_the_whole_gives(monkeypatch):
    whole = run(subject()).arrays
    monkeypatch.setattr(retrieval, "SIMILARITIES_AT_A_TIME", 7 * 600)
    pieces = run(subject()).arrays
    assert all(torch.equal(whole[name], pieces[name]) for name in whole)


def test_a_class_that_the_gallery_has_not_counts_as_0():
    found = run(of(torch.eye(2), [0, 1], torch.eye(2), [0, 2], 3))
    assert found.arrays["map"].tolist() == [1, 0]


def test_fewer_queries_are_a_fixed_choice_of_each_class_and_say_which():
    it = subject()
    few, every = run(it, queries=70), run(it)
    rows = few.arrays["query"]
    assert few.n == len(rows) == 70
    assert torch.equal(few.arrays["map"], every.arrays["map"][rows])
    assert torch.equal(retrieval.evaluate(it, retrieval.Config(queries=70), seed=9).arrays["query"], rows)
    for c in range(7):
        assert abs(int((it.test.y[rows] == c).sum()) - 0.35 * int((it.test.y == c).sum())) <= 1
