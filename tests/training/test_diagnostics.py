"""Examinations are few, far enough apart, and never on a remainder of a batch."""

from itertools import pairwise

import pytest

from dcp.data.sampler import Plan
from dcp.training.diagnostics import APART, COUNT, Examiner


def steps_of(plan: Plan) -> list[int]:
    examiner = Examiner(plan, None)
    return [step for step in range(plan.steps) if examiner.due(step)]


@pytest.mark.parametrize("epochs", [1, 3, 10, 57])
@pytest.mark.parametrize("images", [64, 640, 650, 1000, 4097])
def test_first_and_last_whole_batch_and_few_between(images: int, epochs: int) -> None:
    plan = Plan(images, 64, epochs, seed=0)
    due = steps_of(plan)
    assert due[0] == 0
    assert due[-1] >= plan.steps - 2
    assert len(due) <= COUNT + 2
    assert not any(plan.is_remainder(step) for step in due)
    assert all(after - before >= APART - 1 for before, after in pairwise(due[1:-1]))


def test_images_seen_are_those_of_all_batches() -> None:
    for images in (64, 100, 65, 4097):
        plan = Plan(images, 64, 3, seed=0)
        counted = sum(len(plan.indices(step, plan.order(0))) for step in range(plan.steps))
        assert plan.seen == counted
