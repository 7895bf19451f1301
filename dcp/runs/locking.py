"""One writer at a time: a lock on a folder that ends with the process, however it ends."""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from dcp.errors import RunBusy
from dcp.runs.disk import in_plain_words


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder` for one writer; the lock ends with the process, however it ends. No-op outside of POSIX.

    Raises:
        RunBusy: another process holds it.
    """
    if sys.platform == "win32":
        yield
        return
    with in_plain_words(folder):
        descriptor = os.open(folder, os.O_RDONLY)
    try:
        with in_plain_words(folder):
            _take(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, folder: Path) -> None:
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        hint = "Wait until it has ended, stop it, or start another run with its own run.name."
        raise RunBusy("another process is writing to this run", slug="run-busy", where=str(folder), hint=hint) from None
    except OSError as error:
        if error.errno not in {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}:
            raise  # the four say that this file system knows no locks, which is no reason to refuse to train
