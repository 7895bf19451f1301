"""Readouts learn what can be learnt, count before they learn, and ask the device for nothing."""

import pytest
import torch
from torch.nn import functional as fn

from dcp.method import moments
from dcp.probing.online import HELD_OUT, Readout, standardised

N, BATCH = 4000, 50


def drawn(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


LABELS = torch.randint(0, 5, (N,), generator=drawn(0))
FEATURES = 3 * fn.one_hot(LABELS, 12).float() + torch.randn(N, 12, generator=drawn(1))


def epoch(readout: Readout, number: int) -> dict[str, float]:
    """Every image once, its view moved a little from epoch to epoch; what the readouts got right."""
    for images in torch.randperm(N, generator=drawn(number)).split(BATCH):
        view = FEATURES[images] + 0.1 * torch.randn(len(images), 12, generator=drawn(number))
        readout.add(view, images)
    return readout.read()


def fresh(labels: torch.Tensor = LABELS) -> Readout:
    return Readout(12, 5, labels, moments.own)


def test_they_find_classes_that_the_features_tell() -> None:
    readout = fresh()
    found = [epoch(readout, number) for number in range(3)][-1]
    assert found["online_knn"] > 0.85
    assert found["online_linear"] > 0.85


def test_they_find_nothing_in_labels_without_meaning_however_often_the_images_come_again() -> None:
    readout = fresh(LABELS[torch.randperm(N, generator=drawn(2))])
    found = [epoch(readout, number) for number in range(4)]
    for name in ("online_knn", "online_linear"):
        assert sum(one[name] for one in found) / 4 == pytest.approx(0.2, abs=0.08)


def test_a_tenth_is_held_out_and_never_learnt_from() -> None:
    readout = fresh()
    assert int(readout.held_out.sum()) == N // HELD_OUT
    held = readout.held_out.nonzero().squeeze(1)
    readout.add(FEATURES[held], held)
    assert int((readout.label >= 0).sum()) == 0
    assert not readout.weight.any()
    assert readout.read()["online_linear"] == pytest.approx(float((LABELS[held] == 0).float().mean()))


def test_the_neighbours_do_not_count_before_anything_is_remembered() -> None:
    readout = fresh()
    held = readout.held_out.nonzero().squeeze(1)
    readout.add(FEATURES[held], held)
    assert "online_knn" not in readout.read()


def test_the_linear_step_is_adam_on_the_cross_entropy_of_those_learnt_from() -> None:
    readout = fresh()
    weight = torch.zeros(5, 13, requires_grad=True)
    optimizer = torch.optim.Adam([weight], lr=3e-3)
    for images in torch.arange(250).split(BATCH):
        h, learnt = FEATURES[images], ~readout.held_out[images]
        readout.add(h, images)
        optimizer.zero_grad()
        x = fn.pad(standardised(h), (0, 1), value=1.0)[learnt]
        fn.cross_entropy(x @ weight.T, LABELS[images][learnt]).backward()
        optimizer.step()
    torch.testing.assert_close(readout.weight, weight.detach(), atol=1e-5, rtol=1e-4)


def test_what_was_saved_goes_on_alike() -> None:
    one, other = fresh(), fresh()
    epoch(one, 0)
    one.add(FEATURES[:BATCH], torch.arange(BATCH))
    other.load_state_dict(one.state_dict())
    assert epoch(one, 1) == epoch(other, 1)


def test_counts_of_several_processes_are_kept_by_the_first() -> None:
    def total(values: torch.Tensor) -> torch.Tensor:  # two processes that count the same
        return 2 * values

    held = fresh().held_out.nonzero().squeeze(1)
    for first, times in ((True, 2), (False, 0)):
        readout = Readout(12, 5, LABELS, total)
        readout.add(FEATURES[held], held)
        before = readout.tally.clone()
        readout.gather(first=first)
        assert torch.equal(readout.tally, times * before)


def test_another_process_forgets_the_images_of_the_first() -> None:
    readout = fresh()
    epoch(readout, 0)
    weight = readout.weight.clone()
    readout.forget()
    assert int((readout.label >= 0).sum()) == 0
    assert torch.equal(readout.weight, weight)


def test_where_rows_cannot_be_picked_all_are_computed_and_the_same_count(monkeypatch: pytest.MonkeyPatch) -> None:
    picking, masking = fresh(), fresh()
    ends = []
    for readout in (picking, masking):
        monkeypatch.setattr(Readout, "picks_rows", readout is picking)
        ends.append([epoch(readout, number) for number in range(2)])
        held = readout.held_out.nonzero().squeeze(1)
        readout.add(FEATURES[held], held)  # a batch of which nothing is learnt
    assert ends[0] == ends[1]
    assert torch.equal(picking.label, masking.label)
    for name in ("bank", "weight", "first", "second", "tally"):
        torch.testing.assert_close(getattr(masking, name), getattr(picking, name), atol=1e-5, rtol=1e-5)
