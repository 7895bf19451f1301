"""The rows of a GPU, on a CPU: the same code on a tiny network."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import torch

from benchmarks import apart, captured, host, memory, predictors, several, step, training, views
from benchmarks.measure import Row, Scale
from benchmarks.step import Case
from dcp.hardware.graph import EAGER, Graph

TINY = Case("tiny", "resnet18", 16, "small", 4, 8, 4)
CPU = Scale(quick=True, device="cpu", threads=1)


def names(rows: list[Row]) -> set[str]:
    assert all(math.isfinite(row.value.median) and row.value.median > 0 for row in rows)
    return {row.name for row in rows}


def test_a_training_is_taken_an_epoch_a_turn_and_examined_as_seldom_as_a_long_one() -> None:
    with training.begun(step.recipe(TINY), "cpu") as begun:
        assert begun.turn() > 0
        begun.turn()
        begun.steps(2)
        run = begun.loop.metrics.run
        assert run is not None
        assert [line["step"] for line in run.metrics("epoch")] == [3, 7]
        assert [line["step"] for line in run.metrics("spectrum")] == [0]
        assert next(begun.batches).step == 10
        assert not begun.loop.saver.due(7)
        assert begun.trainer.data.images is training._noise(32, 16).images


@pytest.mark.skipif(torch.cuda.is_available(), reason="a machine with a GPU captures it")
def test_a_training_whose_steps_cannot_be_captured_goes_on_and_says_so() -> None:
    with training.begun(step.recipe(TINY), "cpu") as begun:
        trainer = begun.trainer
        trainer.why_no_graph = ""
        begun.loop.take.graph = Graph(partial(trainer._eager_after_all, begun.loop.metrics.run))
        begun.steps(EAGER + 2)  # a CPU has nothing to capture on
        assert trainer.why_no_graph.startswith("the capture failed")


def test_the_host_and_the_memory_are_measured_for_graph_and_eager() -> None:
    found = host.measured(CPU, TINY)
    assert names(found) == {"graph", "eager", "graph, until the GPU is done", "eager, until the GPU is done"}
    done = {row.name: row.value.median for row in found}
    assert done["graph, until the GPU is done"] >= done["graph"]
    assert names(memory.measured(CPU, TINY)) == {"eager, allocated", "graph, allocated"}


def test_whole_steps_are_measured_with_each_predictor() -> None:
    found = predictors.whole(CPU, TINY)
    assert names(found) >= {"directcopy"}
    assert any(name.startswith("directpred") for name in names(found))


def test_a_root_that_the_recipe_refuses_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictors, "_roots", lambda: ("guess",))
    found = predictors.whole(CPU, TINY)
    assert names(found) == {"directcopy"}
    assert "directpred, guess is not measured" in found[0].note


def test_device_views_are_measured_eager_and_replayed() -> None:
    case = views.Case(16, 16, 16, 0.5)
    assert names(views.on_device(CPU, case, views._images(case))) >= {"dcp", "dcp, eager"}


def test_several_trainings_take_their_turns_together(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def here(make: Callable[[], Any]) -> Iterator[Any]:
        yield make()

    monkeypatch.setattr(several, "apart", here)
    with several._kept:
        one, two = several.measured(CPU, TINY, 2)
    assert (one.name, two.name, two.beside) == ("1 process", "2 processes", "1 process")


def test_device_views_that_cannot_be_captured_are_measured_eager(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(work: Any, device: str) -> Any:
        raise RuntimeError("no graph today\nat all")

    monkeypatch.setattr(captured, "captured", failing)
    case = views.Case(16, 16, 16, 0.5)
    found = views.on_device(CPU, case, views._images(case))
    assert "dcp, eager" in names(found)
    assert "dcp" not in names(found)
    assert "dcp could not be captured: RuntimeError: no graph today" in found[0].note


def test_apart_asks_the_same_turn_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "_made", [])
    made = iter([lambda: 1.0, lambda: 2.0])
    assert [apart._taken(lambda: next(made)) for _ in range(2)] == [1.0, 1.0]
