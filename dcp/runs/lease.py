"""The lease of a run: a file that says which process writes to it, and that is touched as long as that process lives.

A lock of the operating system would be enough if all file systems had one that others see: on network disks it may hold
on one machine only, be granted to all, or be refused. A lease needs files that are made by one of several, and moved in
one go, no more. It counts while the file system's own clock has seen it touched in the last ten minutes; no clock of
this machine has a say.
"""

import contextlib
import errno
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from dcp.errors import DcpError, RunBusy, RunLost
from dcp.runs.disk import beside, in_plain_words
from dcp.runs.own_files import descriptor, open_file
from dcp.runs.owner import Owner, is_local

FILE = ".lease"
TOUCHED_EVERY_S = 30.0
STALE_AFTER_S = 600.0  # without a touch
CLOCKS_DIFFER_S = 86400.0  # at most, of two machines: some have another time zone's
LARGEST = 2**16  # bytes of a lease
NO_FILE = {errno.ELOOP, errno.EISDIR, errno.EINVAL, errno.ENOTDIR}  # something else is in its place

Say = Callable[[str], None]


class Found(NamedTuple):
    """A lease as it lies there."""

    data: bytes
    touched_ns: int  # by the file system's clock
    owner: Owner | None  # None where it cannot be understood, as it is being written


class Held:
    """A lease that this process has.

    Attributes:
        folder: of the run.
        owner: this process, as the lease says.
    """

    def __init__(self, folder: Path, owner: Owner) -> None:
        self.folder, self.owner = folder, owner
        self._identity, self._of_folder = _identity(folder / FILE), _identity(folder)
        self._ended = threading.Event()

    @contextlib.contextmanager
    def kept(self) -> Iterator["Held"]:
        """Touch it now and then until the block ends, and then remove it."""
        thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            thread.join(timeout=5)  # a disk that hangs must not hang us for longer
            self.give_back()

    def give_back(self) -> None:
        """Remove it, if it is still this process's."""
        self.owner.ends()
        with contextlib.suppress(OSError):
            if self._is_ours():
                (self.folder / FILE).unlink()

    def verify(self, *, fully: bool = True) -> None:
        """Make sure that the folder of this path is still the run's, and that nobody else has taken it.

        Args:
            fully: read the lease, and do not rest on its being the same file.

        Raises:
            RunLost: "run-moved" or "lease-lost".
            RunError: "cannot-write".
        """
        with in_plain_words(self.folder):
            if not fully and _identity(self.folder / FILE) == self._identity:
                return
            if self._is_ours():  # some network disks give a file another identity now and then
                self._identity, self._of_folder = _identity(self.folder / FILE), _identity(self.folder)
                return
            moved = _identity(self.folder) != self._of_folder
        if moved:
            hint = (
                "It was moved, renamed or deleted while it was being written. What is there now was left as it is.\n"
                "Put it back, or go on where it is: --resume, with --runs DIR; it has its last checkpoint."
            )
            what = "the folder at this path is no longer that of the run"
            raise RunLost(what, slug="run-moved", where=str(self.folder), hint=hint)
        found = read(self.folder)
        who = f": {found.owner}" if found and found.owner else ""
        what = f"another process has taken the run over{who}" if found else f"the run's lease ({FILE}) was removed"
        hint = (
            "This process wrote nothing more into it. --resume goes on at the last checkpoint, one process at a time."
        )
        raise RunLost(what, slug="lease-lost", where=str(self.folder), hint=hint)

    def touch(self) -> None:
        """Write the lease again, byte by byte the same: its time is then that of the file system's clock."""
        opened = descriptor(self.folder / FILE, os.O_RDWR)
        try:
            if os.read(opened, LARGEST) == self.owner.data():
                os.lseek(opened, 0, os.SEEK_SET)
                os.write(opened, self.owner.data())
                os.fsync(opened)
        finally:
            os.close(opened)

    def _keep(self) -> None:
        while not self._ended.wait(TOUCHED_EVERY_S):
            with contextlib.suppress(OSError):  # the next may do; and if none does, the run is told when it writes
                self.touch()

    def _is_ours(self) -> bool:
        found = read(self.folder)
        return found is not None and found.data == self.owner.data()


def read(folder: Path) -> Found | None:
    """The lease of a run; None without one.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with open_file(folder / FILE, "rb") as file:
            data, touched_ns = file.read(LARGEST), os.fstat(file.fileno()).st_mtime_ns
    except FileNotFoundError:
        return None
    return Found(data, touched_ns, Owner.parsed(data))


def holder(folder: Path) -> Found | None:
    """The lease of the process that writes to a run, as far as a look tells that changes nothing; None without one.

    It decides nothing, so that in doubt there is one: whoever may not look is not told that nobody writes.
    """
    try:
        found = read(folder)
    except OSError as error:
        return None if error.errno in NO_FILE else Found(b"", 0, None)
    if found is None or (found.owner is not None and found.owner.is_here()):
        return found if found is not None and found.owner is not None and found.owner.lives() else None
    if found.owner is not None and found.owner.was_here() and is_local(folder):
        return None
    now = time.time_ns()  # of this machine: of a lease that looks fresh nothing more need be known
    if not is_stale(found, now):
        return found
    try:
        return None if is_stale(found, now_ns(folder)) else found
    except (OSError, DcpError):  # nothing can be written there: then by this machine's clock, if it is not far off
        return None if abs(now - found.touched_ns) >= CLOCKS_DIFFER_S * 1e9 else found


def busy(folder: Path, owner: Owner | None) -> RunBusy:
    """The error for a run that another process writes to."""
    who = f": {owner}" if owner else ""
    hint = "Wait until it has ended, stop it, or start another run with its own run.name."
    if owner and not owner.is_here():
        minutes = STALE_AFTER_S / 60
        hint += f"\nIf that process is gone: {minutes:.0f} minutes after its last sign of life the run is free."
    return RunBusy(f"another process is writing to this run{who}", slug="run-busy", where=str(folder), hint=hint)


def now_ns(folder: Path) -> int:
    """The time by the clock of the file system, which is that of another machine on a network disk."""
    path = beside(folder / ".clock")
    try:
        opened = descriptor(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.write(opened, b"now")
        os.close(opened)
        return path.lstat().st_mtime_ns
    finally:
        path.unlink(missing_ok=True)


def is_stale(found: Found, now: int) -> bool:
    """Whether it has not been touched for so long that it no longer counts; `now` in ns by the file system's clock."""
    return abs(now - found.touched_ns) >= STALE_AFTER_S * 1e9  # from the future: of a clock that was set back


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
