"""Files that appear complete or not at all, and a disk that answers in plain words.

Everything is written beside its place under a hidden name, flushed to the disk and renamed: a reader, or the
next start after a power cut, sees the old content or the new, never a half. What a killed process leaves is
hidden, is never read, and is swept away when it is an hour old.
"""

import contextlib
import errno
import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from dcp.errors import RequestError, RunError

STALE_AFTER_S = 3600.0  # a file is written in seconds; what has not moved for an hour has no living owner
_FULL = {errno.ENOSPC, errno.EDQUOT}


@contextlib.contextmanager
def in_plain_words(path: Path) -> Iterator[None]:
    """Turn the operating system's error while writing `path` into a RunError that names it.

    Raises:
        RunError: "disk-full" or "cannot-write".
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            hint = "Free some space and go on with --resume, or write elsewhere with --runs DIR."
            raise RunError("the disk is full", slug="disk-full", where=str(path), hint=hint) from error
        reason = error.strerror or type(error).__name__
        hint = "Check the folder's permissions, or write elsewhere with --runs DIR."
        raise RunError(f"cannot write: {reason}", slug="cannot-write", where=str(path), hint=hint) from error


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Lend a hidden path beside `path`; what lies there when the block ends becomes `path` in one move.

    For writers that want a path rather than bytes. If the block raises, `path` keeps its old content.

    Raises:
        RunError: "disk-full" or "cannot-write".
    """
    beside = _beside(path)
    try:
        with in_plain_words(path):
            yield beside
            _flush_to_disk(beside)
            os.replace(beside, path)  # noqa: PTH105 - the one call that is atomic on every system
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def atomic_write(path: Path, data: bytes) -> None:
    """Give `path` the content `data`, or leave it as it was.

    Raises:
        RunError: "disk-full" or "cannot-write".

    >>> import tempfile; path = Path(tempfile.mkdtemp()) / "a.txt"
    >>> atomic_write(path, b"new"); path.read_bytes()
    b'new'
    """
    with replacing(path) as beside, beside.open("xb") as file:
        file.write(data)


def create_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Make the folder `path` with all of `files` in it, or nothing; of several who try, one wins.

    Raises:
        FileExistsError: something is there already, and it is not an empty folder.
        RunError: "disk-full" or "cannot-write".
    """
    beside = _beside(path)
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise FileExistsError(str(path))
    try:
        with in_plain_words(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            sweep(path.parent)
            beside.mkdir()
            for name, data in files.items():
                (beside / name).write_bytes(data)
                _flush_to_disk(beside / name)
            _flush_to_disk(beside)
        _move_folder(beside, path)
        _flush_to_disk(path.parent)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove what killed writers left in `folder`: hidden temporary files and folders older than an hour."""
    for leftover in folder.glob(".*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat().st_mtime < STALE_AFTER_S:
                continue
            if leftover.is_dir():
                shutil.rmtree(leftover)
            else:
                leftover.unlink()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder` for one writer; the lock ends with the process, however it ends. No-op outside of POSIX.

    Raises:
        RequestError: "run-busy", another process holds it.
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
        raise RequestError(
            "another process is writing to this run", slug="run-busy", where=str(folder), hint=hint
        ) from None
    except OSError as error:
        if error.errno not in {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}:
            raise  # the four say that this file system knows no locks, which is no reason to refuse to train


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")


def _flush_to_disk(path: Path) -> None:
    if path.is_dir():
        with contextlib.suppress(OSError):  # a folder cannot be flushed on Windows and on some network disks
            _flush(os.open(path, os.O_RDONLY))
    else:
        _flush(os.open(path, os.O_RDWR))


def _flush(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _move_folder(source: Path, target: Path) -> None:
    try:
        # POSIX lets a folder replace an empty one, so a folder made by hand beforehand is no obstacle
        source.rename(target)
    except OSError as error:
        if target.exists():
            raise FileExistsError(str(target)) from error
        with in_plain_words(target):
            raise
