"""Turns taken in a process of their own: what is set for a whole process, its memory say, is theirs alone there."""

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

from benchmarks.measure import Turn

_made: list[Turn] = []


@contextmanager
def apart(make: Callable[[], Turn]) -> Iterator[Turn]:
    """The turn that `make` makes, in a process that waits while it is not its turn.

    Args:
        make: called there, before the first turn; it must be picklable.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield lambda: pool.submit(_taken, make).result()


def _taken(make: Callable[[], Turn]) -> float:
    if not _made:
        _made.append(make())
    return _made[0]()
