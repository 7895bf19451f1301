"""The number of threads: decided by somebody, kept by a run, or what is fastest here and now."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import dcp
from dcp.errors import RequestError
from dcp.hardware import threads
from dcp.recipe import build
from dcp.recipe.recipe import Recipe
from dcp.runs.run import Run
from dcp.training.threads import set_number

HINDERED = threads.hindered


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Four cores on which nobody has decided; the number of threads is put back."""
    monkeypatch.setattr(threads, "MOST", 4)
    monkeypatch.setattr(threads, "hindered", lambda number: False)  # whatever else runs beside the tests
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("ms", "best"),
    [
        ({1: 8, 2: 5, 4: 3}, 4),  # a large network
        ({1: 3, 2: 5, 4: 8}, 1),  # a small one
        ({1: 10, 2: 4, 4: 80}, 2),  # other programs on the cores
        ({1: 5, 2: 5, 4: 5}, 1),  # no difference: the fewest
    ],
)
def test_the_fastest_number_is_taken_and_of_equals_the_smallest(ms: dict[int, int], best: int) -> None:
    chosen = threads.tried(lambda: time.sleep(4 * ms[torch.get_num_threads()] / 1000))
    assert chosen.count == best == torch.get_num_threads()
    assert all(f"ms on {number}" in chosen.why for number in ms)


def test_threads_that_are_in_the_way_of_other_programs_are_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "hindered", lambda number: number > 2)
    tried = set()
    assert threads.tried(lambda: (tried.add(torch.get_num_threads()), time.sleep(0.01))).count == 1
    assert tried == {1, 2}
    monkeypatch.setattr(threads, "hindered", lambda number: number > 1)
    assert threads.tried(pytest.fail) == threads.Threads(1, "1 (more get in each other's way beside other programs)")
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize(("times", "hindered"), [(threads.HINDERED - 1, False), (threads.HINDERED + 1, True)])
def test_threads_are_in_the_way_where_a_sum_takes_each_of_them_ten_times_as_long_as_one_alone(
    times: float, hindered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 1.0 if torch.get_num_threads() == 1 else 4 * times
        return now

    monkeypatch.setattr(threads.time, "perf_counter", clock)
    assert HINDERED(4) is hindered


def test_what_somebody_has_decided_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    assert threads.given("auto", None) is None
    assert threads.given(3, 2) == threads.Threads(3, "as the recipe says")
    assert threads.given("auto", 2) == threads.Threads(2, "as the run began")
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert threads.given("auto", 4) == threads.Threads(4, "OMP_NUM_THREADS")
    assert threads.given("auto", 2) == threads.Threads(4, "OMP_NUM_THREADS; the run began with 2")
    assert threads.given(3, 2) == threads.Threads(3, "as the recipe says")


def test_more_threads_than_a_machine_can_have_are_refused() -> None:
    with pytest.raises(RequestError) as error:
        threads.given(100_000, None)
    assert error.value.slug == "too-many-threads"
    assert threads.given("auto", 100_000) is None  # of a run that began on another machine


def test_trying_leaves_the_method_as_it_was() -> None:
    recipe = Recipe.read("tiny/directcopy")
    method = build.method(recipe)
    before = {name: x.clone() for name, x in method.state_dict().items()}
    set_number("auto", None, method, batch=16, sizes=recipe.view_sizes)
    assert all(torch.equal(x, before[name]) for name, x in method.state_dict().items())
    assert all(p.grad is None for p in method.parameters())


def test_a_run_keeps_the_number_that_it_began_with_and_the_program_its_own(tmp_path: Path) -> None:
    quick = ("probe.after=[]", "train.epochs=1")
    before = torch.get_num_threads()
    path = dcp.pretrain("tiny/directcopy", sets=(*quick, "train.threads=2"), runs=tmp_path)
    assert Run.open(path).record.threads == 2
    assert Run.open(path).record.sittings[0]["threads"] == 2
    assert torch.get_num_threads() == before
