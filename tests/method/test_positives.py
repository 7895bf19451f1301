"""Positives found by labels: the queue, votes and draws against plain loops; the loss; what a training sees."""

from pathlib import Path

import pytest
import torch
from small import normal
from torch import Tensor, nn
from torch.nn import functional as fn
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

from dcp import catalogue
from dcp.data import splits
from dcp.errors import RequestError
from dcp.method.algorithm import Method
from dcp.method.moments import Moments
from dcp.method.networks import Branch
from dcp.method.objectives import cosine
from dcp.method.objectives.base import alone
from dcp.method.positives._queue import Queue
from dcp.method.positives.base import LabelledConfig
from dcp.method.predictors.identity import Identity
from dcp.method.targets.online import Online
from dcp.recipe import build
from dcp.recipe.recipe import Recipe
from dcp.training.request import Request

BOTH = pytest.mark.parametrize("name", ["semppl", "supsiam"])


def queue(size: int, dim: int = 3) -> Queue:
    return Queue(size, dim, alone)


def filled(classes: list[int]) -> Queue:
    made = queue(len(classes))
    made.push(normal(len(classes), 3, seed=0), torch.tensor(classes))
    return made


def test_only_labelled_rows_go_in_and_the_oldest_go_out() -> None:
    made, t = queue(3), normal(6, 3, seed=0)
    made.push(t[:3], torch.tensor([-1, 4, 5]))
    assert (made.classes.tolist(), made.pushed.item()) == ([4, 5, -1], 2)
    assert_close(made.rows[:2], t[1:3])
    made.push(t[3:], torch.tensor([6, -1, 7]))
    assert (made.classes.tolist(), made.pushed.item()) == ([7, 5, 6], 4)
    assert_close(made.rows, torch.stack([t[5], t[2], t[3]]))


def test_a_batch_larger_than_the_queue_leaves_its_last_labelled_rows() -> None:
    batches = [[0, 1, 2, 3, 4], [4, 5, -1, 6, -1, -1, -1], [-1, 7, -1, -1, -1], [-1] * 9]
    for queued, classes in zip((2, 2, 3, 4), batches, strict=True):
        made, t = queue(queued), normal(len(classes), 3, seed=0)
        made.push(t, torch.tensor(classes))
        known = [(y, row) for y, row in zip(classes, t, strict=True) if y >= 0][-queued:]
        kept = {int(y): row for y, row in zip(made.classes, made.rows, strict=True) if y >= 0}
        assert sorted(kept) == [y for y, _ in known]
        for y, row in known:
            assert_close(kept[y], row)


def test_the_vote_is_that_of_a_plain_loop() -> None:
    made, t = filled([0, 0, 1, 1, 1, 2, 2, 2, 2, 0]), normal(20, 3, seed=1)
    for row, voted in zip(t, made.vote(t, 5).tolist(), strict=True):
        similar = [fn.cosine_similarity(row, kept, dim=0).item() for kept in made.rows]
        near = [made.classes[i].item() for i in sorted(range(10), key=lambda i: -similar[i])[:5]]
        assert voted == max(near, key=lambda c: (near.count(c), -near.index(c)))


def test_an_empty_queue_votes_for_nothing_and_has_nothing_to_offer() -> None:
    made, t = queue(4), normal(2, 3, seed=0)
    assert made.vote(t, 3).tolist() == [-1, -1]
    assert not made.pick(torch.tensor([0, -1]))[1].any()
    rows, there = made.mean(torch.tensor([0, -1]))
    assert not there.any()
    assert torch.equal(rows, torch.zeros(2, 3))


def test_a_drawn_row_is_of_the_class_and_every_row_of_it_is_drawn() -> None:
    made, found = filled([0, 1, 1, 1, 0]), set()
    torch.manual_seed(0)
    for _ in range(50):
        rows, there = made.pick(torch.tensor([1, 7]))
        assert there.tolist() == [True, False]
        found.add(int((made.rows == rows[0]).all(1).nonzero().item()))
    assert found == {1, 2, 3}


def test_means_are_those_of_the_classes() -> None:
    made = filled([0, 1, 1, 1, 0])
    assert_close(made.mean(torch.tensor([1, 0]))[0], torch.stack([made.rows[1:4].mean(0), made.rows[[0, 4]].mean(0)]))


def test_semppl_names_what_has_no_label_and_keeps_the_labels_it_sees() -> None:
    made = catalogue.load("positives", "semppl")
    config = made.Config(queue=8, k=1, weight=0.5)
    positives, t = made.build(config, 3, alone), normal(4, 3, seed=0)
    empty = positives(t, torch.tensor([0, 1, -1, -1]))
    assert (empty.own.tolist(), empty.other.tolist()) == ([1.0] * 4, [0.0] * 4)
    positives.update(t[:2], torch.tensor([0, 1]))
    extra = positives(t[:2], torch.tensor([-1, 0]))
    assert_close(extra.t, t[[0, 0]])
    assert extra.other.tolist() == [0.5, 0.5]


def test_supsiam_mixes_both_losses_where_there_is_a_label() -> None:
    made = catalogue.load("positives", "supsiam")
    positives, t = made.build(made.Config(queue=8, a=0.25), 3, alone), normal(4, 3, seed=0)
    positives.update(t[:2], torch.tensor([3, 3]))
    extra = positives(t, torch.tensor([3, -1, 4, 3]))
    assert (extra.own.tolist(), extra.other.tolist()) == ([0.25, 1, 1, 0.25], [0.75, 0, 0, 0.75])
    assert_close(extra.t[0], t[:2].mean(0))


@BOTH
def test_the_loss_is_that_of_both_positives_and_targets_are_remembered_after_the_step(name: str) -> None:
    torch.manual_seed(0)
    made = catalogue.load("positives", name)
    positives, online = (
        made.build(made.Config(queue=8), 3, alone),
        Branch(nn.Flatten(), nn.Sequential(nn.Linear(12, 3))),
    )
    method = Method(online, Identity(), Online(), Moments(3, rho=0.5), cosine.loss, positives=positives)
    x1, x2, y = normal(4, 3, 2, 2, seed=0), normal(4, 3, 2, 2, seed=1), torch.tensor([0, 1, -1, 0])
    plain = method(x1, x2).losses
    outputs = method(x1, x2, y=y)
    assert_close(outputs.losses, plain)  # nothing is remembered yet
    method.after_step(outputs, 0, 0.1)
    assert positives.queue.classes[:3].tolist() == [0, 1, 0]
    assert_close(positives.queue.rows[:3], outputs.z[0][[0, 1, 3]])
    torch.manual_seed(1)
    with_more = method(x1, x2, y=y).losses
    torch.manual_seed(1)
    extras = [positives(outputs.z[view], y) for view in (1, 0)]
    expected = sum(
        extra.own * cosine.loss(p, p, t) + extra.other * cosine.loss(p, p, extra.t)
        for p, t, extra in zip(outputs.z, outputs.z.flip(0), extras, strict=True)
    )
    assert_close(with_more, expected)
    assert not torch.allclose(with_more, plain)


def test_training_sees_the_share_of_the_labels_that_it_may_and_no_other() -> None:
    y = torch.arange(100) % 10
    seen = build.labels_seen(y, LabelledConfig(labelled=0.3))
    assert seen is not None
    assert torch.equal(seen[seen >= 0], y[seen >= 0])
    assert seen[seen >= 0].bincount().tolist() == [3] * 10
    assert torch.equal(torch.where(seen >= 0)[0], splits.evenly(y, 30, seed=0).sort().values)
    assert build.labels_seen(y, catalogue.load("positives", "none").Config()) is None


def test_images_without_labels_are_refused() -> None:
    with pytest.raises(RequestError, match="needs labels"):
        build.labels_seen(None, catalogue.load("positives", "semppl").Config())


def _flops(recipe: Recipe, folder: Path) -> int:
    """Of everything that a dry run computes: five steps, and the networks on shapes alone."""
    from dcp.training.dry_run import estimate

    with FlopCounterMode(display=False) as counter:
        estimate(recipe, Request(folder, device="cpu"))
    return int(counter.get_total_flops())


@BOTH
def test_a_dry_run_measures_the_steps_with_the_queue(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed: list[Tensor] = []
    push = Queue.push
    monkeypatch.setattr(Queue, "push", lambda self, t, y: (pushed.append(y), push(self, t, y))[1])
    recipe = Recipe.read(f"tiny/{name}")
    found, alone = (_flops(r, tmp_path) for r in (recipe, Recipe.read("tiny/directcopy")))
    assert len(pushed) == 5  # one that warms up and four that are timed
    assert all(len(y) == recipe.train.batch for y in pushed)
    assert any(bool((y >= 0).any()) for y in pushed)
    product = 2 * recipe.train.batch * recipe.network.projector.out * recipe.positives.queue  # a view's, with the queue
    assert found - alone == 5 * 2 * product
