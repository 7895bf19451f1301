"""Files of a data set are opened here: regular ones alone, and none makes the reader wait."""

import errno
import os
import stat
from typing import BinaryIO

KINDS = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
_NO_FILE = (errno.ENXIO, errno.ENODEV, errno.EOPNOTSUPP)  # what opening a socket or a device without a driver ends with


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """A file open for reading, as `open(path, "rb")`; without waiting where it is something else.

    Raises:
        OSError: it cannot be opened, or is a FIFO, a socket or a device; `strerror` says so in words.
    """
    try:
        file = open(path, "rb", opener=_without_waiting)  # noqa: SIM115
    except OSError as error:
        if error.errno in _NO_FILE and (kind := special(os.stat(path).st_mode)):  # noqa: PTH116
            raise OSError(errno.EINVAL, f"it is {kind}, not a file") from None
        raise
    if kind := special(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, f"it is {kind}, not a file")
    return file


def special(mode: int) -> str:
    """What something of this mode is, where it is neither a file nor a folder; "" where it is.

    >>> special(stat.S_IFIFO | 0o644), special(stat.S_IFREG | 0o644)
    ('a FIFO', '')
    """
    return KINDS.get(stat.S_IFMT(mode), "" if stat.S_ISREG(mode) or stat.S_ISDIR(mode) else "something special")


def _without_waiting(path: str, flags: int) -> int:
    # opening a FIFO waits for a writer, and opening a terminal may make it that of this process
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
