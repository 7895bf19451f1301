"""Readouts learn what can be learnt, count before they learn, and ask the device for nothing."""

import pytest
import torch
from torch.nn import functional as fn

from dcp import moments
from dcp.readout import Readout, standardised


def batch(number: int, classes: int = 5, features: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    """Features that tell the class, with noise."""
    draw = torch.Generator().manual_seed(number)
    y = torch.randint(0, classes, (64,), generator=draw)
    return 3 * fn.one_hot(y, features).float() + torch.randn(64, features, generator=draw), y


def filled(batches: int, *, shuffled: bool = False) -> Readout:
    readout = Readout(12, 5, moments.own)
    for number in range(batches):
        h, y = batch(number)
        y = y[torch.randperm(64, generator=torch.Generator().manual_seed(number))] if shuffled else y
        readout.add(h, y, with_neighbours=True)
    return readout


def test_they_find_classes_that_the_features_tell() -> None:
    readout = filled(150)
    readout.read()
    for number in range(150, 160):
        readout.add(*batch(number), with_neighbours=True)
    found = readout.read()
    assert found["online_knn"] > 0.8
    assert found["online_linear"] > 0.8


def test_they_find_nothing_in_labels_without_meaning() -> None:
    found = filled(150, shuffled=True).read()
    assert found["online_knn"] == pytest.approx(0.2, abs=0.03)
    assert found["online_linear"] == pytest.approx(0.2, abs=0.03)


def test_an_image_counts_before_it_is_learnt_from() -> None:
    readout = Readout(12, 5, moments.own)
    h, y = batch(0)
    readout.add(h, y, with_neighbours=True)
    first = readout.read()
    assert first["online_linear"] == pytest.approx(float((y == 0).float().mean()))  # untrained: the first class
    assert "online_knn" not in first  # nothing was remembered yet
    readout.add(h, y, with_neighbours=True)
    assert readout.read()["online_knn"] > 0.9  # now each image is its own neighbour


def test_the_linear_step_is_adam_on_the_cross_entropy() -> None:
    readout = Readout(12, 5, moments.own)
    weight = torch.zeros(5, 13, requires_grad=True)
    optimizer = torch.optim.Adam([weight], lr=3e-3)
    for number in range(5):
        h, y = batch(number)
        readout.add(h, y, with_neighbours=False)
        optimizer.zero_grad()
        fn.cross_entropy(fn.pad(standardised(h), (0, 1), value=1.0) @ weight.T, y).backward()
        optimizer.step()
    torch.testing.assert_close(readout.weight, weight.detach(), atol=1e-5, rtol=1e-4)


def test_what_was_saved_goes_on_alike() -> None:
    one = filled(20)
    other = Readout(12, 5, moments.own)
    other.load_state_dict(one.state_dict())
    for readout in (one, other):
        readout.add(*batch(99), with_neighbours=True)
    assert one.read() == other.read()
