"""Taking the lease of a run: who may, and how one of several who try at once gets it."""

import contextlib
import hashlib
import os
import signal
from pathlib import Path

from dcp.runs import lease
from dcp.runs.disk import in_plain_words
from dcp.runs.own_files import descriptor
from dcp.runs.owner import Owner, has_the_boot_of, is_local

TRIES = 1000  # at a lease that changes while it is looked at


def take(folder: Path, owner: Owner, *, locked: bool, say: lease.Say) -> lease.Held:
    """Take the lease of a run, or take up the one that its folder was made with.

    Args:
        folder: of the run.
        owner: this process.
        locked: whether this process has a lock, which is known to keep out the others of this machine.
        say: is told if the run was taken from a process that has not been heard of for long.

    Raises:
        RunBusy: another process has it.
        RunError: "disk-full" or "cannot-write".
    """
    with in_plain_words(folder):
        for _ in range(TRIES):
            with contextlib.suppress(FileExistsError):
                _make(folder / lease.FILE, owner)
            found = lease.read(folder)
            if found is None:
                continue
            if found.data == owner.data():
                return lease.Held(folder, owner)
            now = lease.now_ns(folder)
            stale = lease.is_stale(found, now)
            if not _is_free(found.owner, folder, stale=stale, locked=locked):
                raise lease.busy(folder, found.owner)
            if _replace(folder, found, owner, now):
                if stale:
                    minutes = abs(now - found.touched_ns) / 60e9
                    what = found.owner or "another process"
                    say(f"{folder}: taken over from {what}: not heard of for {minutes:.0f} minutes")
                return lease.Held(folder, owner)
    raise lease.busy(folder, None)


def _is_free(owner: Owner | None, folder: Path, *, stale: bool, locked: bool) -> bool:
    """Whether the owner of a lease has ended, or counts as such."""
    if owner is not None and owner.is_here():
        # one that lives but has neither touched the lease nor kept the lock has lost it
        return not owner.lives() or (stale and locked)
    # a file system of this machine may be exported to others, whose locks are not seen here
    ended = owner is not None and (has_the_boot_of(owner) or (is_local(folder) and owner.was_here()))
    return stale or (locked and ended)


def _replace(folder: Path, found: lease.Found, owner: Owner, now: int) -> bool:
    """Put a lease in the place of `found`; False if that is no longer there. Of several who try, one succeeds.

    Whoever makes the file that is called after `found` may replace it, and does so by moving that file there. So as
    long as it lies there `found` is replaced by nobody else, and once it has been moved `found` is gone.
    """
    claim = folder / f".lease.0-{hashlib.sha256(found.data).hexdigest()[:8]}.tmp"
    try:
        _make(claim, owner)
    except FileExistsError:
        with contextlib.suppress(FileNotFoundError):
            if abs(now - claim.lstat().st_mtime_ns) < lease.STALE_AFTER_S * 1e9:
                raise lease.busy(folder, None) from None
            claim.unlink()  # of one who was killed at this point
        return False
    try:
        if _same(lease.read(folder), found):
            os.replace(claim, folder / lease.FILE)  # noqa: PTH105
    except FileNotFoundError:  # another took it for one that was left
        return False
    finally:
        with contextlib.suppress(OSError):
            if claim.read_bytes() == owner.data():
                claim.unlink()
    there = lease.read(folder)
    return there is not None and there.data == owner.data()


def _same(one: lease.Found | None, other: lease.Found) -> bool:
    return one is not None and (one.data, one.touched_ns) == (other.data, other.touched_ns)


def _make(path: Path, owner: Owner) -> None:
    """Raises FileExistsError: another was faster."""
    blocked = None
    if hasattr(signal, "pthread_sigmask"):  # one that ends this process would leave an empty lease
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        opened = descriptor(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            os.write(opened, owner.data())
            os.fsync(opened)
        finally:
            os.close(opened)
    finally:
        if blocked is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
