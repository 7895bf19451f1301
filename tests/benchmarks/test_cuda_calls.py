"""What the benchmarks ask of CUDA, by stand-ins.

They run what a capture would record and replay nothing: they hold names and order of the calls to what torch has, and
say nothing about CUDA.
"""

import inspect
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
import torch

from benchmarks import captured, host, memory, predictors, profile, step, training
from benchmarks.measure import Row, Scale, in_turn
from benchmarks.step import Case
from dcp.hardware.graph import EAGER

TINY = Case("tiny", "resnet18", 16, "small", 4, 8, 4)
CUDA = Scale(quick=True, device="cuda", threads=1)


def names(rows: list[Row]) -> set[str]:
    assert all(math.isfinite(row.value.median) and row.value.median > 0 for row in rows)
    return {row.name for row in rows}


class Stream:
    device = torch.device("cuda", 0)

    def wait_stream(self, other: "Stream") -> None:
        pass


class FakeGraph:
    made = 0
    replayed: ClassVar[list[int]] = []  # numbers of those that were replayed

    def __init__(self) -> None:
        self.number = FakeGraph.made
        FakeGraph.made += 1

    def replay(self) -> None:
        FakeGraph.replayed.append(self.number)


class Event:
    count = 0

    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing

    def record(self) -> None:
        Event.count += 1
        self.at = Event.count

    def elapsed_time(self, other: "Event") -> float:
        assert other.at == self.at + 1
        return 1.0


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stand-ins for what of torch.cuda the benchmarks call; the trainings themselves stay on the CPU."""
    went: list[str] = []
    real = torch.cuda.graph
    monkeypatch.setattr(FakeGraph, "made", 0)
    monkeypatch.setattr(FakeGraph, "replayed", [])

    @contextmanager
    def graph(*args: Any, **options: Any) -> Iterator[None]:
        inspect.signature(real.__init__).bind(None, *args, **options)
        went.append("capture")
        yield

    @contextmanager
    def stream(stream: Stream) -> Iterator[None]:
        went.append("aside")
        yield

    nothing = {name: lambda *_: None for name in ("synchronize", "empty_cache", "reset_peak_memory_stats")}
    stand_ins = {
        **nothing,
        "Stream": Stream,
        "CUDAGraph": FakeGraph,
        "Event": Event,
        "graph": graph,
        "stream": stream,
        "current_stream": Stream,
        "set_stream": lambda stream: went.append("back"),
        "graph_pool_handle": lambda: (0, 1),
        "max_memory_allocated": lambda: 2**30,
        "max_memory_reserved": lambda: 2**31,
        "mem_get_info": lambda: (2**30, 2**32),
    }
    for name, stand_in in stand_ins.items():
        assert hasattr(torch.cuda, name)
        monkeypatch.setattr(torch.cuda, name, stand_in)
    for module in (step, host, memory, predictors, profile):
        monkeypatch.setattr(module, "begun", lambda recipe, device: training.begun(recipe, "cpu"))
    return went


def test_work_is_warmed_up_aside_then_captured_and_replayed(cuda: list[str]) -> None:
    went: list[int] = []
    replayed = captured.captured(lambda: went.append(1), "cuda")
    assert len(went) == EAGER + 1
    assert cuda == ["aside", "capture"]
    replayed()
    assert FakeGraph.replayed == [0]
    assert len(went) == EAGER + 1
    assert captured.captured(went.clear, "cpu") == went.clear


def test_a_step_on_a_gpu_has_rows_of_both_graphs_and_both_eager(cuda: list[str]) -> None:
    found = step.measured(CUDA, TINY)
    assert names(found) == {"bare", "dcp", "dcp, eager", "bare, graph", "F and DirectCopy", "views"}
    assert {row.name: row.beside for row in found if row.ratio} == dict.fromkeys(
        ["bare", "dcp", "dcp, eager"], "bare, graph"
    )
    assert {row.unit for row in found if row.name == "views"} == {"% of step", "ms/batch"}


def test_a_bare_step_that_cannot_be_captured_costs_its_own_row_alone(
    cuda: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = step.bare

    def failing(*args: Any, graph: bool = False) -> Any:
        if graph:
            raise RuntimeError("no graph today\nat all")
        return bare(*args)

    monkeypatch.setattr(step, "bare", failing)
    found = step.measured(CUDA, TINY)
    assert names(found) == {"bare", "dcp", "dcp, eager", "F and DirectCopy", "views"}
    assert found[0].note.endswith("the bare step could not be captured: RuntimeError: no graph today")


def test_a_share_that_cannot_be_measured_costs_its_own_row_alone(
    cuda: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(work: Any, device: str) -> Any:
        raise RuntimeError("no graph today")

    monkeypatch.setattr(step, "captured", failing)
    found = step.measured(CUDA, TINY)
    assert names(found[:4]) == {"bare", "dcp", "dcp, eager", "bare, graph"}
    assert [row.group for row in found[4:]] == ["not measured", "not measured"]
    assert found[4].name == "step, tiny, share_of_updates"
    assert found[5].note == "RuntimeError: no graph today"


def test_the_parts_of_a_step_are_graphs_of_one_pool_replayed_in_their_order(cuda: list[str]) -> None:
    found = profile.measured(CUDA, TINY)
    shares = {row.name: row.value.median for row in found}
    assert set(shares) == {*profile.PARTS, "all parts"}
    assert cuda == ["capture"] * 9  # "online branch, loss" comes twice
    assert FakeGraph.replayed == [*range(9)] * (4 * profile.STEPS + 1)
    assert shares["online branch, loss"] == pytest.approx(200 / 9)
    assert shares["backward"] == pytest.approx(100 / 9)
    assert shares["all parts"] == pytest.approx(9)
    assert {row.note for row in found} == {"each part is a graph"}


def test_memory_on_a_gpu_has_a_row_of_each_kind(cuda: list[str]) -> None:
    found = memory.measured(CUDA, TINY)
    kinds = ("allocated", "reserved", "reserved, later", "of the card")
    assert names(found) == {f"{way}, {kind}" for way in ("eager", "graph") for kind in kinds}
    assert {row.beside for row in found} == {"", *(f"eager, {kind}" for kind in kinds)}


def test_updates_that_need_no_host_are_measured_as_graphs_too(cuda: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[set[str]] = []

    def noting(things: Any, *args: Any, **options: Any) -> Any:
        asked.append(set(things))
        return in_turn({name: lambda: 1.0 for name in things}, 1)

    monkeypatch.setattr(predictors, "in_turn", noting)
    for kind in (torch.Tensor, torch.nn.Module):
        monkeypatch.setattr(kind, "to", lambda x, *to, old=kind.to: x if to == ("cuda",) else old(x, *to))
    predictors.measured(Scale(quick=True, device="cuda", threads=1, until=0.0), 8)
    assert asked[0] >= {"directpred", "directcopy", "directcopy, graph", "least squares"}
    assert "directpred, graph" not in asked[0]
    assert "partition" not in asked[0]  # time is short
