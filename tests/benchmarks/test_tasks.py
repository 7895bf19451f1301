"""What --minutes leaves out and what it measures, and the processes in which tasks run."""

import json
import math
import os
import sys
import time
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks.measure import Row, Scale, Spread
from benchmarks.tasks import GRACE, Processes, Task, all_rows, rows_within

SCALE = Scale(quick=True, device="cpu", threads=1)


def work(scale: Scale, name: str) -> list[Row]:
    return [Row("group", name, "s", Spread.of([1.0]))]


def pid(scale: Scale, error: type[Exception] | None = None) -> list[Row]:
    if error is not None:
        raise error(str(os.getpid()))
    return [Row("group", "pid", "", Spread.of([float(os.getpid())]))]


def sleeping(scale: Scale) -> list[Row]:
    time.sleep(600)
    return []


class Clock:
    """Time goes by only while a task runs: `factor` times what is expected of it."""

    def __init__(self, factor: float = 1.0) -> None:
        self.now, self.factor = 1000.0, factor
        self.untils, self.limits = list[float](), list[float]()

    def __call__(self) -> float:
        return self.now

    def run(self, task: Task, scale: Scale) -> list[Row]:
        self.untils.append(scale.until)
        self.limits.append(scale.limit)
        self.now += self.factor * task.seconds
        return task.work(scale, *task.args)


def measured(minutes: float, tasks: list[Task], clock: Clock) -> tuple[list[str], list[str]]:
    """Names of the rows that were measured, and of the tasks that were left out."""
    rows = list(rows_within(60 * minutes, tasks, SCALE, clock.run, clock))
    out = [row for row in rows if row.group == "not measured: no time left"]
    assert all(row.value.repeats == 0 and math.isnan(row.value.median) for row in out)
    return [row.name for row in rows if row.group == "group"], [row.name for row in out]


def task(name: str, seconds: float, rank: int) -> Task:
    return Task(work, (name,), seconds, rank)


def test_what_matters_most_is_measured_and_what_no_longer_fits_is_said() -> None:
    clock = Clock()
    tasks = [task("third", 50, 3), task("first", 40, 1), task("fourth", 20, 4), task("second", 30, 2)]
    went, out = measured(2, tasks, clock)
    assert went == ["first", "second", "third"]
    assert out == ["test_tasks.work fourth"]
    assert clock.now == 1000 + 120
    assert clock.untils == [1040, 1070, 1120]
    assert clock.limits == [1080 + GRACE, 1100 + GRACE, 1120 + GRACE]


def test_a_small_task_fits_where_a_larger_one_before_it_does_not() -> None:
    assert measured(1, [task("a", 40, 1), task("b", 30, 2), task("c", 20, 3)], Clock())[0] == ["a", "c"]


def test_a_slow_machine_is_expected_to_stay_slow() -> None:
    clock = Clock(factor=2.0)
    went, out = measured(2, [task("a", 20, 1), task("b", 30, 2), task("c", 15, 3), task("d", 10, 4)], clock)
    assert went == ["a", "b", "d"]
    assert out == ["test_tasks.work c"]
    assert clock.now == 1000 + 120


def test_without_minutes_all_are_measured_in_their_order_and_a_failure_costs_its_own_row_alone() -> None:
    tasks = [task("a", 1e9, 2), Task(pid, (ValueError,)), task("b", 1e9, 1)]
    rows = list(all_rows(tasks, SCALE, Clock().run))
    assert [row.group for row in rows] == ["group", "not measured", "group"]
    assert [row.name for row in rows] == ["a", f"test_tasks.pid {ValueError}", "b"]
    assert rows[1].note == f"ValueError: {os.getpid()}"


def test_the_command_says_and_writes_what_it_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "b.json"
    arguments = ["profile", "several", "--quick", "--device", "cpu", "--minutes", "0.001", "--json", str(out)]
    monkeypatch.setattr(sys, "argv", ["benchmarks", *arguments])
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    command.main()
    rows = json.loads(out.read_text())["rows"]
    assert [row["group"] for row in rows] == ["not measured: no time left"] * 2
    assert [row["name"].split()[0] for row in rows] == ["several.measured", "profile.measured"]
    assert capsys.readouterr().out.count("s are left") == 2


def test_every_group_has_tasks_that_say_how_long_they_take() -> None:
    import importlib

    for device in ("cpu", "cuda"):
        for group in command.GROUPS:
            tasks = importlib.import_module(f"benchmarks.{group}").tasks(Scale(quick=False, device=device, threads=1))
            assert all(isinstance(task, Task) and 0 < task.seconds <= 120 and task.name for task in tasks), group


@pytest.mark.slow
def test_tasks_of_one_name_share_a_process_until_something_goes_wrong_in_it() -> None:
    ask, fail, lack = (Task(pid, args, process="one") for args in ((), (ValueError,), (ImportError,)))

    def number(task: Task) -> float:
        return processes.run(task, SCALE)[0].value.median

    with Processes() as processes:
        first = number(ask)
        with pytest.raises(ImportError):
            processes.run(lack, SCALE)
        assert number(ask) == first != os.getpid()
        with pytest.raises(ValueError, match=f"{first:.0f}"):
            processes.run(fail, SCALE)
        second = number(ask)
        assert second != first
        with pytest.raises(ProcessLookupError):
            os.kill(int(first), 0)
        late = Scale(quick=True, device="cpu", threads=1, limit=time.monotonic() + 4)
        with pytest.raises(TimeoutError, match="ended after"):
            processes.run(Task(sleeping, process="one"), late)
