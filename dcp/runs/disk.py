"""Files that appear complete or not at all, and a disk that answers in plain words.

Everything is written beside its place under a hidden name, flushed to the disk and renamed: a reader, or the
next start after a power cut, sees the old content or the new, never a half. What a killed process leaves is
hidden, is never read, and is swept away when it is an hour old.
"""

import contextlib
import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from dcp.errors import RequestError, RunError

STALE_AFTER_S = 3600.0  # a file is written in seconds; what has not moved for an hour has no living owner
_FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk is full: your share of it is used up",
    errno.EFBIG: "the disk is full: a file may not be this large here",
}
_IN_THE_WAY = {errno.EEXIST, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}


@contextlib.contextmanager
def in_plain_words(path: Path) -> Iterator[None]:
    """Turn the operating system's error while writing `path` into a RunError that names it.

    Raises:
        RunError: "disk-full" or "cannot-write".
    """
    try:
        yield
    except Exception as error:  # all but two kinds are raised again; safetensors' own does not derive from OSError
        # by its name, because a comparison starts without the package
        if not isinstance(error, OSError) and type(error).__name__ != "SafetensorError":
            raise
        if isinstance(error, OSError):
            number, reason = error.errno or 0, error.strerror or type(error).__name__
        else:  # safetensors has the system's number of an error in its text only
            said = re.search(r"\(os error (\d+)\)", str(error))
            number, reason = int(said[1]) if said else 0, str(error)
        if number in _FULL:
            hint = "Free some space and go on with --resume, or write elsewhere (--runs or --out)."
            raise RunError(_FULL[number], slug="disk-full", where=str(path), hint=hint) from error
        hint = "Check the folder's permissions, or write elsewhere (--runs or --out)."
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
        RequestError: "bad-folder".
        RunError: "disk-full" or "cannot-write".
    """
    beside = _beside(path)
    if occupied(path):
        raise FileExistsError(str(path))
    try:
        with in_plain_words(path):
            make_folder(path.parent)
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


def occupied(path: Path) -> bool:
    """Whether anything but an empty folder stands at `path`, or something that may not be looked into.

    Raises:
        RequestError: "bad-folder", nothing can ever stand there: a file is in the way, or the name is too long.
    """
    with _possible(path):
        try:
            path.lstat()
        except (FileNotFoundError, PermissionError):
            return False
        try:
            return not path.is_dir() or any(path.iterdir())
        except PermissionError:
            return True


def make_folder(path: Path) -> None:
    """Make the folder `path` and those above it, where they are missing.

    Raises:
        RequestError: "bad-folder", a file is in the way, or the name is too long.
        RunError: "disk-full" or "cannot-write".
    """
    with in_plain_words(path), _possible(path):
        path.mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def _possible(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno not in _IN_THE_WAY:
            raise
        reason = error.strerror if isinstance(error, OSError) else str(error)
        hint = "Choose another place (--runs or --out)."
        raise RequestError(f"no folder can be here: {reason}", slug="bad-folder", where=str(path), hint=hint) from None


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
