"""Files that appear complete or not at all, and a disk that answers in plain words.

Everything is written in a hidden folder beside its place, flushed to the disk and renamed: a reader, or the next start
after a power cut, sees the old content or the new, never a half. What a killed process leaves is hidden, is never
read, and is swept away by the next who writes there.
"""

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from dcp.errors import RequestError, RunError
from dcp.runs.own_files import check_folder, open_file

STALE_AFTER_S = 3600.0  # a folder is made in seconds; what has not moved for an hour has no living owner
# what stands beside a file, or a folder, that is being written: whose, and by which process
_BESIDE = r"\.{name}\.[0-9]+-[0-9a-f]{{8}}\.tmp"
LEFTOVER = re.compile(_BESIDE.format(name=r"(?:[\w@.+=-]+\.(?:json|jsonl|toml|safetensors|html|txt)|lease|clock)"))
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
    """Lend a path in a hidden folder beside `path`; what lies there when the block ends becomes `path` in one move.

    For writers that want a path rather than bytes, and whatever they put beside it. If the block raises, `path` keeps
    its old content.

    Raises:
        RunError: "disk-full" or "cannot-write".
    """
    folder = beside(path)
    try:
        with in_plain_words(path):
            folder.mkdir()
            yield folder / path.name
            (folder / path.name).chmod(folder.lstat().st_mode & 0o666)  # safetensors lets nobody else read its files
            _flush_to_disk(folder / path.name)
            os.replace(folder / path.name, path)  # noqa: PTH105 - the one call that is atomic on every system
    finally:
        _remove(folder)


def atomic_write(path: Path, data: bytes) -> None:
    """Give `path` the content `data`, or leave it as it was.

    Raises:
        RunError: "disk-full" or "cannot-write".

    >>> import tempfile; path = Path(tempfile.mkdtemp()) / "a.txt"
    >>> atomic_write(path, b"new"); path.read_bytes()
    b'new'
    """
    with replacing(path) as lent, open_file(lent, "xb") as file:
        file.write(data)


@contextlib.contextmanager
def replacing_inside(folder: Path, name: str, verify: Callable[[], None]) -> Iterator[Path]:
    """As `replacing`, for the file `name` of a run folder, whose own folders are made where they are missing.

    `verify` is called before anything is written, and once more before the new content takes its place: it raises if
    the folder is no longer ours.

    Raises:
        RunError: "disk-full" or "cannot-write".
    """
    verify()
    path = folder / name
    if path.parent != folder:
        with in_plain_words(path.parent):
            check_folder(path.parent)
            path.parent.mkdir(exist_ok=True)
    with replacing(path) as lent:
        yield lent
        verify()


def create_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Make the folder `path` with all of `files` in it, or nothing; of several who try, one wins.

    What those left who were killed at it, an hour ago or longer, goes; nothing else beside `path` is touched.

    Raises:
        FileExistsError: something is there already, and it is not an empty folder.
        RequestError: "bad-folder".
        RunError: "disk-full" or "cannot-write".
    """
    if occupied(path):
        raise FileExistsError(str(path))
    path = path.resolve() if path.is_symlink() else path  # no folder can take the place of a link
    folder = beside(path)
    try:
        with in_plain_words(path):
            make_folder(path.parent)
            folder.mkdir()
            for name, data in files.items():
                (folder / name).write_bytes(data)
                _flush_to_disk(folder / name)
            _flush_to_disk(folder)
            now = folder.lstat().st_mtime  # by the clock of the file system, which may be another machine's
            pattern = re.compile(_BESIDE.format(name=re.escape(path.name.lstrip("."))))
            for leftover in _of_these_names(path.parent, pattern):
                with contextlib.suppress(OSError):
                    if now - leftover.lstat().st_mtime >= STALE_AFTER_S:
                        _remove(leftover, set(files))
        _move_folder(folder, path)
        _flush_to_disk(path.parent)
    finally:
        _remove(folder)


def occupied(path: Path) -> bool:
    """Whether anything but an empty folder stands at `path`, or something that may not be looked into.

    Raises:
        RequestError: "bad-folder", nothing can ever stand there: a file is in the way, the name is too long, or it is
            the current folder, which what replaces it would not be.
    """
    with _possible(path):
        try:
            path.lstat()
        except (FileNotFoundError, PermissionError):
            return False
        try:
            if not path.is_dir() or any(path.iterdir()):
                return True
        except PermissionError:
            return True
        if path.resolve() == Path.cwd():
            raise NotADirectoryError(errno.ENOTDIR, "this is the current folder, which cannot be replaced")
        return False


def make_folder(path: Path) -> None:
    """Make the folder `path` and those above it, where they are missing.

    Raises:
        RequestError: "bad-folder", a file is in the way, or the name is too long.
        RunError: "disk-full" or "cannot-write".
    """
    with in_plain_words(path), _possible(path):
        path.mkdir(parents=True, exist_ok=True)


def check_name(path: Path) -> None:
    """Refuse a path that no file can hold as text, before hours of work come to write it.

    Raises:
        RequestError: "bad-folder".
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        hint = "Rename it, or choose another place (--runs or --out)."
        raise RequestError("the path is no UTF-8", slug="bad-folder", where=str(path), hint=hint) from None


@contextlib.contextmanager
def _possible(path: Path) -> Iterator[None]:
    check_name(path)
    try:
        yield
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno not in _IN_THE_WAY:
            raise
        reason = error.strerror if isinstance(error, OSError) else str(error)
        hint = "Choose another place (--runs or --out)."
        raise RequestError(f"no folder can be here: {reason}", slug="bad-folder", where=str(path), hint=hint) from None


def sweep(folder: Path) -> None:
    """Remove what killed writers left in a folder of a run. Who calls it holds the run, so no other writes there."""
    for leftover in _of_these_names(folder, LEFTOVER):
        _remove(leftover)


def _of_these_names(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if pattern.fullmatch(path.name)]
    except OSError:
        return []


def _remove(leftover: Path, names: set[str] | None = None) -> None:
    """Remove a file, or a folder with the files in it, only those of `names` where they are given; no further down."""
    with contextlib.suppress(OSError):
        if not stat.S_ISDIR(leftover.lstat().st_mode):
            leftover.unlink()
            return
        for path in leftover.iterdir():
            if names is None or path.name in names:
                path.unlink()
        leftover.rmdir()


def beside(path: Path) -> Path:
    """A hidden path beside `path` that no other writer has, and that is swept when it is left."""
    return path.with_name(f".{path.name.lstrip('.')}.{os.getpid()}-{secrets.token_hex(4)}.tmp")


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
