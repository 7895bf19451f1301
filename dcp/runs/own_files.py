"""Files of a run folder, which may be a stranger's: files they must be, in folders that are no links."""

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

# of a file that is opened: follow no link, wait for nobody, hand it to no other program; where the system has them
PLAINLY = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_NOINHERIT", "O_BINARY"))


def descriptor(path: Path, flags: int) -> int:
    """Open the file at `path` as os.open does; a link is not followed, and a pipe or a device is not opened.

    Raises:
        OSError: it cannot be, or is something else than a file.
    """
    check_file(path)  # before it is opened: to open a device may do something
    opened = os.open(path, flags | PLAINLY, 0o666)
    try:
        _check(os.fstat(opened).st_mode)
    except OSError:
        os.close(opened)
        raise
    return opened


def check_file(path: Path) -> None:
    """Make sure that what is at `path`, if anything, is a file and no link to one.

    Raises:
        OSError: it is not, or cannot be looked at.
    """
    with contextlib.suppress(FileNotFoundError):
        _check(path.lstat().st_mode)


def _check(mode: int) -> None:
    if stat.S_ISLNK(mode):
        raise OSError(errno.ELOOP, "it is a link, and a run holds files of its own")
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device, and no file")


def open_file(path: Path, mode: str) -> BinaryIO:
    """The same as a file object; `mode` as of the builtin, and binary.

    Raises:
        OSError: as `descriptor`.
    """
    return open(path, mode, opener=lambda name, flags: descriptor(Path(name), flags))  # type: ignore[return-value]


def check_folder(path: Path) -> None:
    """Make sure that what is at `path`, if anything, is a folder and no link to one.

    Raises:
        OSError: it is not, or cannot be looked at.
    """
    with contextlib.suppress(FileNotFoundError):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            raise OSError(errno.ELOOP, "it is a link, and a run holds folders of its own", str(path))
        if not stat.S_ISDIR(mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
