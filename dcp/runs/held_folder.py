"""The folder of a run, and the right to write into it, which one process has at a time."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from dcp.errors import DcpError
from dcp.runs import lease, locking
from dcp.runs.disk import in_plain_words, replacing_inside, sweep
from dcp.runs.json_files import broken
from dcp.runs.own_files import check_file, check_folder, open_file
from dcp.runs.owner import Owner

RESERVE = ".reserve"  # takes the room that run.json needs, should the disk be full when a run fails
RESERVED = 2**16  # bytes, of random numbers as some disks keep zeros in no room at all
FOLDERS = ("checkpoint", "probes")


class HeldFolder:
    """A run folder, as far as it is written to.

    Args:
        path: the folder.
        owner: this process, in the lease that the folder was made with; None without one.
    """

    def __init__(self, path: Path, owner: Owner | None = None) -> None:
        self.path, self._owner = path, owner
        self._held: lease.Held | None = None

    @property
    def is_held(self) -> bool:
        """Whether this process has it through this handle."""
        return self._held is not None

    @contextlib.contextmanager
    def lock(self, say: lease.Say = lambda text: None) -> Iterator[None]:
        """Hold the run for one writer.

        Args:
            say: is told if it was taken from a process that has not been heard of for long.

        Raises:
            RunBusy: another process holds it.
            RequestError: "broken-run", a link or something else is where dcp would write.
            RunError: "disk-full" or "cannot-write".
        """
        folders = [self.path / name for name in FOLDERS]
        for path in (*folders, *(self.path / name for name in (lease.FILE, locking.FILE, RESERVE))):
            try:
                check_folder(path) if path in folders else check_file(path)
            except OSError as error:
                raise broken(path, error.strerror or str(error)) from None
        with locking.locked(self.path, say, self._owner) as held:
            for folder in (self.path, *folders):
                sweep(folder)
            self._held = held
            try:
                yield
            finally:
                self._held = self._owner = None

    @contextlib.contextmanager
    def reserving(self) -> Iterator[None]:
        """Keep room on the disk for what `end` writes.

        Raises:
            RunError: "disk-full" or "cannot-write".
        """
        path = self.path / RESERVE
        try:
            with in_plain_words(path):
                path.unlink(missing_ok=True)  # a copy may share a file that was left with its original
                file = open_file(path, "xb")
            with in_plain_words(path), contextlib.closing(file):
                file.write(os.urandom(RESERVED))
                file.flush()
                os.fsync(file.fileno())
            yield
        finally:
            with contextlib.suppress(DcpError):
                self.release_reserve()

    def release_reserve(self) -> None:
        """Give that room back.

        Raises:
            RunLost: it is no longer this process's.
        """
        self.verify()
        with contextlib.suppress(OSError):
            (self.path / RESERVE).unlink()

    def verify(self, *, fully: bool = True) -> None:
        """Make sure that this process, if it holds the run, still does.

        Args:
            fully: also read what stands in the lease.

        Raises:
            RunLost: nothing may be written.
        """
        if self._held is not None:
            self._held.verify(fully=fully)

    def let_go(self) -> None:
        """Give the run back at once, in a process that ends without leaving `lock`."""
        if self._held is not None:
            self._held.give_back()
            with contextlib.suppress(OSError):
                (self.path / locking.FILE).unlink()

    def write(self, name: str, data: bytes) -> None:
        """Give the file `name` of the run this content in one move, or leave it as it was.

        Raises:
            RunLost: the folder is no longer this process's.
            RunError: "disk-full" or "cannot-write".
        """
        with replacing_inside(self.path, name, self.verify) as lent, open_file(lent, "xb") as file:
            file.write(data)

    @contextlib.contextmanager
    def appending(self, name: str) -> Iterator[BinaryIO]:
        """Open the file `name` of the run, which is made where it is missing, to read and to add to its end.

        Raises:
            RunError: as `write`.
        """
        self.verify(fully=False)
        with in_plain_words(self.path / name), open_file(self.path / name, "a+b") as file:
            yield file
