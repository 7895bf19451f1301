"""Tasks: which rows are measured together, in which process, and which still fit into the time that is left."""

import gc
import math
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import torch

from benchmarks.measure import Row, Scale, Spread

GRACE = 15.0  # seconds by which a task may be late before it is ended
LAST = 100  # rank of what is measured when all else is
TRAININGS = "trainings"  # the process that dcp's trainings on a GPU share: a fresh one imports torch for some 6 s
NOTHING = Spread(float("nan"), float("nan"), float("nan"), 0)


class Task(NamedTuple):
    """Some rows that are measured together."""

    work: Callable[..., list[Row]]  # takes the scale, then the arguments
    args: tuple[Any, ...] = ()
    seconds: float = 30.0  # expected, on an H100 with 16 cores, its process's start among them
    rank: int = LAST  # the lowest goes first where time is short
    process: str = ""  # the process that it shares with others; "" for one of its own

    @property
    def name(self) -> str:
        """For people: "step.measured ResNet-18 at 32"."""
        words = (getattr(arg, "name", arg) for arg in self.args)
        return " ".join([f"{self.work.__module__.split('.')[-1]}.{self.work.__name__}", *map(str, words)])


Run = Callable[[Task, Scale], list[Row]]


def all_rows(tasks: Iterable[Task], scale: Scale, run: Run) -> Iterator[Row]:
    """The rows of all tasks."""
    for task in tasks:
        yield from rows_or_why(task.name, partial(run, task, scale))


def rows_within(
    seconds: float, tasks: Iterable[Task], scale: Scale, run: Run, clock: Callable[[], float] = time.monotonic
) -> Iterator[Row]:
    """The rows of the tasks that fit into so many seconds, by their rank, and one for each that does not.

    A task is left out that is expected to end too late; where tasks have taken longer than expected, the next ones are
    expected to take longer by the same factor. One is ended that takes twice as long, or that goes beyond the end.
    """
    end, expected, took = clock() + seconds, 0.0, 0.0
    for task in sorted(tasks, key=lambda task: task.rank):
        needs = task.seconds * max(1.0, took / expected if expected else 1.0)
        began = clock()
        if began + needs > end:
            note = f"it takes {needs:.0f} s, and {max(0.0, end - began):.0f} s are left"
            yield Row("not measured: no time left", task.name, "", NOTHING, note=note)
            continue
        times = replace(scale, until=began + needs, limit=min(began + 2 * needs + GRACE, end + GRACE))
        yield from rows_or_why(task.name, partial(run, task, times))
        expected, took = expected + task.seconds, took + clock() - began


def rows_or_why(name: str, measure: Callable[[], list[Row]]) -> list[Row]:
    """The rows, or one that says why there are none: what fails must not cost the others."""
    try:
        return measure()
    except Exception as error:  # whatever it is
        why = f"{type(error).__name__}: {error}".splitlines()[0]
        return [Row("not measured", name, "", NOTHING, note=why)]


class Processes:
    """Runs tasks in processes, each with its children in a process group.

    Args:
        shared: the process of all tasks; None for those that they name.
    """

    def __init__(self, shared: str | None = None) -> None:
        self.shared, self.idle = shared, dict[str, ProcessPoolExecutor]()

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_: object) -> None:
        for pool in self.idle.values():
            pool.shutdown()

    def run(self, task: Task, scale: Scale) -> list[Row]:
        """The task's rows. A process in which something went wrong, or that takes far too long, is ended for good.

        Raises:
            TimeoutError: it was not over by the scale's limit.
            Exception: whatever the task raises.
        """
        name = task.process if self.shared is None else self.shared
        context = multiprocessing.get_context("spawn")
        group = getattr(os, "setsid", None)
        pool = self.idle.pop(name, None) or ProcessPoolExecutor(1, mp_context=context, initializer=group)
        done = pool.submit(_cleanly, partial(task.work, scale, *task.args))
        workers = [*(pool._processes or {})]
        left = max(0.0, scale.limit - time.monotonic())
        try:
            rows = done.result(None if math.isinf(left) else left)
        except ImportError:  # a rival that is not installed leaves nothing behind
            self._leave(name, pool)
            raise
        except BaseException as error:  # after an error of CUDA's nothing works in the process any more
            _end(workers)
            pool.shutdown(wait=False)
            if isinstance(error, (TimeoutError, FutureTimeoutError)):  # two classes before Python 3.11
                raise TimeoutError(f"ended after {left:.0f} s") from None
            raise
        self._leave(name, pool)
        return rows

    def _leave(self, name: str, pool: ProcessPoolExecutor) -> None:
        """Keep a process that has a name for the next of its tasks."""
        if name:
            self.idle[name] = pool
        else:
            pool.shutdown()


def _end(workers: list[int]) -> None:
    for worker in workers:
        try:
            os.killpg(worker, signal.SIGKILL) if hasattr(os, "killpg") else os.kill(worker, signal.SIGTERM)
        except (ProcessLookupError, PermissionError):
            continue


def _cleanly(work: Callable[[], list[Row]]) -> list[Row]:
    """The work, after which a GPU's memory is free for other processes."""
    if torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()
    rows = work()
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    return rows
