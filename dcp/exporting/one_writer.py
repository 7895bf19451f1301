"""FILE.partial: the folder in which one process at a time makes FILE, and keeps what is done.

    features                  what is done, for the next to go on from (`dcp.exporting.partial`)
    .lease, .lock             which process has it, as in a run folder (`dcp.runs.lease`): on network disks, too
    .made.PID-XXXXXXXX.tmp    FILE, and what belongs beside it, until all are moved to their places

It goes with the last thing in it.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from dcp.errors import RequestError, RunBusy, RunError, RunLost
from dcp.runs import lease, locking
from dcp.runs.disk import beside, in_plain_words
from dcp.runs.own_files import check_folder

ENDING = ".partial"
FEATURES = "features"
MADE = re.compile(r"\.made\.[0-9]+-[0-9a-f]{8}\.tmp")

Verify = Callable[[bool], None]  # RunError where another has taken over; True: look closely


def folder(out: Path) -> Path:
    """FILE.partial."""
    return out.with_name(out.name + ENDING)


@contextlib.contextmanager
def held(out: Path) -> Iterator[Verify]:
    """Have the folder of `out` for this process alone; it is made where it is missing.

    Raises:
        RequestError: "file-busy", another process has it; "partial-differs", it is not dcp's.
        RunError: "lease-lost", another has taken over, or it was moved away; "disk-full" or "cannot-write".
    """
    path = folder(out)
    _check_ours(path)
    try:
        with in_plain_words(path):
            path.mkdir(exist_ok=True)
        with locking.locked(path, lambda text: None) as lent:
            with in_plain_words(path):
                left = [each for each in path.iterdir() if MADE.fullmatch(each.name)]
            for each in left:
                shutil.rmtree(each, ignore_errors=True)

            def verify(fully: bool) -> None:
                try:
                    lent.verify(fully=fully)
                except RunLost as error:
                    what = "another process makes these features now, or what was done was moved away"
                    raise RunError(what, slug="lease-lost", where=str(path)) from error

            yield verify
    except RunBusy:
        raise _busy(path) from None
    finally:
        with contextlib.suppress(OSError):  # something is kept in it
            path.rmdir()


@contextlib.contextmanager
def workshop(out: Path) -> Iterator[Path]:
    """A folder of this call alone, from which files move to where `out` is in one go each.

    Raises:
        RunError: "disk-full" or "cannot-write".
    """
    path = beside(folder(out) / "made")
    with in_plain_words(path):
        path.mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _check_ours(path: Path) -> None:
    if not os.path.lexists(path):
        return
    with in_plain_words(path):
        try:
            check_folder(path)
            # hidden files are ours, or of the system's: .nfs000000001, .DS_Store
            if all(each.name == FEATURES or each.name.startswith(".") for each in path.iterdir()):
                return
        except FileNotFoundError:  # it has just become a file
            return
        except OSError:
            if path.is_dir() and not path.is_symlink():
                raise
    raise RequestError("this is not dcp's", slug="partial-differs", where=str(path), hint="Move it away.")


def _busy(path: Path) -> RequestError:
    found, hint = lease.holder(path), "Wait for it, or give another FILE."
    owner = found.owner if found else None
    if owner and not owner.is_here():
        minutes = lease.STALE_AFTER_S / 60
        hint += f"\nIf that process is gone: {minutes:.0f} minutes after its last sign of life FILE is free."
    what = f"another process is writing these features{f': {owner}' if owner else ''}"
    return RequestError(what, slug="file-busy", where=str(path), hint=hint)
