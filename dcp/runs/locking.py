"""One writer at a time: a lock of the system, where the file system has one, and a lease in any case."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from dcp.runs import lease, taking
from dcp.runs.disk import in_plain_words
from dcp.runs.own_files import descriptor
from dcp.runs.owner import Owner

FILE = ".lock"
TRIES = 100  # at a file that its owners remove when they end

_open: set[int] = set()  # descriptors of the locks of this process


def _let_go() -> None:
    """In a forked child, which would keep the lock of a parent that was killed."""
    for opened in _open:
        with contextlib.suppress(OSError):
            os.close(opened)
    _open.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


@contextlib.contextmanager
def locked(folder: Path, say: lease.Say, owner: Owner | None = None) -> Iterator[lease.Held]:
    """Hold `folder` for one writer.

    Args:
        folder: of a run.
        say: is told if it was taken from a process that has not been heard of for long.
        owner: of the lease that the folder was made with; None to make one.

    Raises:
        RunBusy: another process holds it.
        RunError: "disk-full" or "cannot-write".
    """
    path, owner, held = folder / FILE, owner or Owner.me(), None
    with in_plain_words(path):
        opened = _locked(path)
    if opened is not None:
        _open.add(opened)
    try:
        locks = opened is not None and _keeps_out(path)
        held = taking.take(folder, owner, locked=locks, say=say)
        with held.kept():
            yield held
    finally:
        with contextlib.suppress(OSError):  # a signal may have come between taking the lease and keeping it
            if (left := lease.read(folder)) is not None and left.data == owner.data():
                (folder / lease.FILE).unlink()
        if held is not None:
            with contextlib.suppress(OSError):  # while it is locked: who gets it then looks whether it is still there
                path.unlink()
        if opened is not None:
            _open.discard(opened)
            os.close(opened)


def _locked(path: Path) -> int | None:
    """A descriptor of the file, locked; None where the file system has no locks.

    Raises:
        RunBusy: another process has locked it.
    """
    for _ in range(TRIES if sys.platform != "win32" else 0):
        opened = _opened(path)
        taken = _flock(opened)
        if taken and _is_at(opened, path):
            return opened
        os.close(opened)
        if taken is False:
            found = lease.read(path.parent)
            raise lease.busy(path.parent, found and found.owner)
        if taken is None:
            break
    return None


def _opened(path: Path) -> int:
    try:
        return descriptor(path, os.O_RDWR | os.O_CREAT)
    except PermissionError:
        with contextlib.suppress(FileNotFoundError):  # another user's; most systems lock a file that can be read
            return descriptor(path, os.O_RDONLY)
        raise


def _flock(opened: int) -> bool | None:
    """Whether the lock was obtained; None where there are no locks, which is no reason to refuse to train."""
    import fcntl

    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _keeps_out(path: Path) -> bool:
    """Whether a lock that is held is refused to another who opens the file; on some file systems it is not."""
    with contextlib.suppress(OSError):
        other = _opened(path)
        try:
            return _flock(other) is False
        finally:
            os.close(other)
    return False


def _is_at(opened: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(opened), path.stat())
    except FileNotFoundError:
        return False
