"""Threads of a CPU: how many compute a step. More are not always faster.

A second thread costs small networks more than it brings. Beside other programs on the same cores threads wait for each
other, and by default those of GNU OpenMP wait awake for a long time, in the way of what they wait for: a step on two
threads was seen eighty times slower than on one. The command line has them sleep sooner (`dcp.cli.app`), which costs
nothing on idle cores, and `auto` takes what pays on this network, on this machine, now, by trying. The sums of a
convolution depend on the number in their last bits, so that `auto` keeps the number that a run began with.
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch

from dcp.errors import RequestError

PER_CORE = 8  # threads for which somebody may have a reason
MOST = torch.get_num_threads()  # what torch starts with: one a core, or OMP_NUM_THREADS
ROUNDS = 3  # each number is tried so often, in turn, after once that does not count
ENOUGH_S = 2.0  # of trying; then the numbers that have had a turn decide
HINDERED = 10.0  # times as long as on one thread: the cores are others' by then
BETTER = 1.05  # fewer threads are taken where they are as fast: more must be faster by this


@dataclass(frozen=True)
class Threads:
    """How many threads compute, and why."""

    count: int
    why: str  # one phrase for the reader


def given(asked: int | Literal["auto"], recorded: int | None) -> Threads | None:
    """The number that somebody has decided, or None where it has to be tried.

    Args:
        asked: train.threads.
        recorded: what the run began with, if it goes on.

    Raises:
        RequestError: "too-many-threads", more than this machine could have been meant to have.
    """
    cores = os.cpu_count() or 1
    if asked != "auto" and asked > PER_CORE * cores:
        what = f"train.threads is {asked}, and this machine has {cores} cores"
        raise RequestError(what, slug="too-many-threads", where="train.threads", hint=f'"auto", or at most {cores}')
    if asked != "auto":
        return Threads(asked, "as the recipe says")
    if "OMP_NUM_THREADS" in os.environ:
        change = f"; the run began with {recorded}" if recorded not in (None, MOST) else ""
        return Threads(MOST, f"OMP_NUM_THREADS{change}")
    if recorded is not None and recorded <= PER_CORE * cores:  # it may have begun on a larger machine
        return Threads(recorded, "as the run began")
    return Threads(1, "one core") if MOST == 1 else None


def tried(step: Callable[[], object]) -> Threads:
    """The number of threads, of 1, 2, 4, ... up to `MOST`, with which `step` is fastest now; it is set.

    A step that takes longer than a second is tried once with each number.
    """
    numbers = [number for number in _numbers(MOST) if not hindered(number)]
    if numbers == [1]:
        torch.set_num_threads(1)
        return Threads(1, "1 (more get in each other's way beside other programs)")
    times: dict[int, list[float]] = {number: [] for number in numbers}
    began = time.perf_counter()
    for turn in range(ROUNDS + 1):
        for number in reversed(numbers) if turn % 2 else numbers:
            torch.set_num_threads(number)
            started = time.perf_counter()
            step()
            took = time.perf_counter() - started
            if turn or took > 1.0:  # the first turn warms up, which matters to steps that are short
                times[number].append(took)
        if time.perf_counter() - began > ENOUGH_S and all(times.values()):
            break
    best = numbers[0]
    for number in numbers[1:]:
        if min(times[number]) * BETTER < min(times[best]):
            best = number
    torch.set_num_threads(best)
    speeds = ", ".join(f"{1000 * min(times[number]):,.0f} ms on {number}" for number in numbers)
    return Threads(best, f"{best} is the fastest for a pass of the networks ({speeds})")


def hindered(number: int) -> bool:
    """Whether so many threads are in the way of other programs: on a sum that one adds up in some microseconds."""
    x, took = torch.zeros(number << 16), {}
    for count in (1, number):
        torch.set_num_threads(count)
        x.add_(1)
        started = time.perf_counter()
        for _ in range(20):
            x.add_(1)
        took[count] = time.perf_counter() - started
    return took[number] > HINDERED * number * took[1]


def _numbers(most: int) -> Iterator[int]:
    """1, 2, 4, ... and `most`.

    >>> list(_numbers(6))
    [1, 2, 4, 6]
    """
    number = 1
    while number < most:
        yield number
        number *= 2
    yield most
