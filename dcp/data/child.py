"""A forked process: what it must not take from its parent, and how it ends with it."""

import contextlib
import os
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

DEAF_TO = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")  # they may be sent to all processes of a job


def be_deaf() -> None:
    """Leave the signals that are sent to all processes of a job to the parent."""
    for name in DEAF_TO:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def let_go(*, besides: int) -> None:
    """Let go of the files that were inherited: a lock, or a line to another process, would outlive the parent here.

    Their numbers stay taken, so that whoever closes one later closes nothing else.
    """
    with contextlib.suppress(OSError):
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in [int(each.name) for each in Path("/proc/self/fd").iterdir()]:
            if number > 2 and number not in (besides, nothing):
                with contextlib.suppress(OSError):
                    os.dup2(nothing, number)


def end_with(parent: int) -> None:
    """End this process with its parent, also where it hangs."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def has_ended(process: BaseProcess, within_s: float) -> bool:
    """Whether a child ends within so many seconds.

    Not by `join`, which waits for the sentinel and then for ever: `let_go` in the child has closed the sentinel.
    """
    until = time.monotonic() + within_s
    while process.is_alive():
        if time.monotonic() >= until:
            return False
        time.sleep(0.01)
    return True
