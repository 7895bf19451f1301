"""Several trainings at once on one device, each in a process of its own with a seed of its own: images a second in all.

A small network leaves much of a GPU idle, and studies are many runs. Each process trains by `dcp pretrain`'s own loop.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

import torch

from benchmarks.apart import apart
from benchmarks.measure import Row, Scale, Turn, alternate, rows
from benchmarks.step import CPU, GPU, QUICK, Case, in_time, recipe
from benchmarks.tasks import Task
from benchmarks.training import begun

_kept = ExitStack()  # of a process that trains: its training goes on from turn to turn


def tasks(scale: Scale) -> list[Task]:
    """Up to three trainings, two where it must be quick."""
    case = (GPU if scale.device == "cuda" else QUICK if scale.quick else CPU)[0]
    return [Task(measured, (case, 2 if scale.quick else 3), 50, 15)]


def measured(scale: Scale, case: Case, most: int) -> list[Row]:
    """Images a second of 1 to `most` trainings at once, whose turns begin together."""
    case = in_time(case, scale)
    with ExitStack() as stack:
        alone = [stack.enter_context(apart(partial(_training, scale, case, seed))) for seed in range(most)]
        threads = stack.enter_context(ThreadPoolExecutor(most))
        turns = {_name(count): _together(alone[:count], threads) for count in range(1, most + 1)}
        found = alternate(turns, scale.repeats, scale.until)
    note = f"batch {case.batch} each"
    return rows(f"trainings at once, {case.name}", "images/s", found, beside=_name(1), note=note)


def _name(count: int) -> str:
    return f"{count} process{'es' if count > 1 else ''}"


def _together(turns: list[Turn], threads: ThreadPoolExecutor) -> Callable[[], float]:
    """Images a second of turns of as many images each that begin together, until the last one ends."""
    return lambda: len(turns) * min(threads.map(lambda turn: turn(), turns))


def _training(scale: Scale, case: Case, seed: int) -> Turn:
    torch.set_num_threads(1 if scale.device == "cpu" else scale.threads)
    return _kept.enter_context(begun(recipe(case, f"run.seed={seed}"), scale.device)).turn
