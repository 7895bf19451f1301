"""Which images every step sees. Fact 33: 391 iterations an epoch for CIFAR, 821 for STL-10."""

import pytest
import torch

from dcp.data import loader
from dcp.data.sampler import Plan


@pytest.mark.parametrize(("images", "steps"), [(50_000, 391), (105_000, 821)])
def test_the_last_batch_of_an_epoch_is_kept_so_cifar_has_391_steps_and_stl10_821(images: int, steps: int):
    """Fact 33."""
    assert Plan(images, 128, epochs=1, seed=0).steps_per_epoch == steps


def test_a_remainder_of_one_image_is_left_out_because_batch_norm_needs_two():
    assert Plan(17, 8, epochs=3, seed=0).steps == 6
    assert Plan(18, 8, epochs=3, seed=0).steps == 9
    assert Plan(19, 8, epochs=1, seed=0, processes=2).steps == 2
    assert Plan(20, 8, epochs=1, seed=0, processes=2).steps == 3


@pytest.mark.parametrize("epoch", [0, 1])
def test_every_epoch_shows_every_image_once(epoch: int):
    plan = Plan(30, 8, epochs=2, seed=5)
    steps = [step for step in range(plan.steps) if plan.epoch_of(step) == epoch]
    shown = torch.cat([plan.indices(step, plan.order(epoch)) for step in steps])
    assert shown.sort().values.tolist() == list(range(30))
    assert [plan.ends_epoch(step) for step in steps] == [False, False, False, True]


def test_the_order_depends_on_seed_and_epoch_alone():
    plan = Plan(100, 8, epochs=2, seed=5)
    assert torch.equal(plan.order(1), Plan(100, 50, epochs=9, seed=5, processes=4).order(1))
    assert not torch.equal(plan.order(0), plan.order(1))
    assert not torch.equal(plan.order(0), Plan(100, 8, epochs=2, seed=6).order(0))


def test_processes_share_a_batch_without_overlap_and_within_one_image():
    plan = Plan(30, 7, epochs=1, seed=0, processes=3)
    batch = plan.indices(0, plan.order(0))
    shares = [plan.share(batch, rank) for rank in range(3)]
    assert torch.equal(torch.cat(shares), batch)
    assert sorted(len(share) for share in shares) == [2, 2, 3]


@pytest.mark.parametrize(("cores", "processes", "workers"), [(1, 1, 1), (4, 1, 3), (64, 1, 8), (9, 2, 4), (2, 4, 1)])
def test_images_are_decoded_by_one_process_a_spare_core_from_1_to_8(
    cores: int, processes: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader.os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    assert loader.worker_count(None, processes) == workers
    assert loader.worker_count(0, processes) == 0
