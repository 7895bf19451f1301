"""Memory that every step gives back and takes again stays with the process meanwhile, where glibc hands it out.

By itself glibc returns large blocks to the system at once, which zeroes them page by page when they are asked for
again: a training on CPUs spent up to a tenth of its time on that, an evaluation a quarter (docs/performance.md).
"""

import ctypes
import os
import platform
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from weakref import WeakSet

# names and numbers of malloc.h
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -2, -3, -4
# No block is a mapping of its own, and what is free is not given back. Other threads than the main one keep only what
# fits into 64 MiB, the size of their heaps, and keep these by the padding.
KEPT = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: -1, M_TOP_PAD: 64 * 2**20}
# what glibc's own thresholds grow to where such blocks are freed; once set, they don't move any more
GIVEN = {M_MMAP_MAX: 65536, M_MMAP_THRESHOLD: 32 * 2**20, M_TRIM_THRESHOLD: 64 * 2**20, M_TOP_PAD: 128 * 2**10}
TUNED = ("MALLOC_", "GLIBC_TUNABLES")  # names of variables by which a user has seen to it


class _Holder:
    """Somebody who wants memory kept; one that an interrupt has lost is forgotten."""


_lock, _holders = threading.Lock(), WeakSet[_Holder]()


@contextmanager
def kept(device: str) -> Iterator[None]:
    """Meanwhile freed memory is kept, and given back at the end; where glibc is not, or on a GPU, nothing happens.

    Args:
        device: "cpu", or what the networks are on else.
    """
    if device != "cpu" or _glibc() is None:
        yield
        return
    holder = _Holder()
    try:
        _agree(_holders.add, holder)
        yield
    finally:
        _agree(_holders.discard, holder)


def _agree(change: Callable[[_Holder], None], holder: _Holder) -> None:
    """The process does what is wanted by those who are left."""
    with _lock:
        change(holder)
        _set(KEPT if _holders else GIVEN)
        if not _holders:
            _library().malloc_trim(0)


def _set(options: dict[int, int]) -> None:
    for option, value in options.items():
        _library().mallopt(option, value)


def _library() -> ctypes.CDLL:
    glibc = _glibc()
    assert glibc is not None
    return glibc


@cache
def _glibc() -> ctypes.CDLL | None:
    """The library, unless it is another or the user has tuned it."""
    if platform.libc_ver()[0] != "glibc" or any(name.startswith(TUNED) for name in os.environ):
        return None
    return ctypes.CDLL(None)


def _in_child() -> None:
    """A forked process, one that decodes images say, gives back what it frees."""
    global _lock
    _lock = threading.Lock()
    if _holders:
        _holders.clear()
        _set(GIVEN)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
