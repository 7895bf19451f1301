"""Start several processes of the same command on this machine; signals go in, an exit code comes out.

Each process gets its place in the variables that torchrun sets too, and Accelerate reads them. Not torchrun itself:
it turns every exit code into 1 and prints its own report over the error that a user should see.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from types import FrameType

from dcp.errors import DONE, FAILED

GRACE_S = 20.0  # for the others to end by themselves when one has: they may be saving, or wait for it in vain


def launch(arguments: list[str], processes: int) -> int:
    """Run `python -m dcp ARGUMENTS` in so many processes that train together.

    Returns:
        0, or the exit code of the first process that ended with another.
    """
    port = _free_port()
    workers: list[subprocess.Popen[bytes]] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        # Ctrl-C has reached the workers already: the terminal sends it to all
        if number != signal.SIGINT:
            _send(workers, number)

    passed = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2") if hasattr(signal, name)]
    before = {number: signal.signal(number, pass_on) for number in passed}
    try:
        workers += [
            subprocess.Popen(_command(arguments), env=_place(rank, processes, port)) for rank in range(processes)
        ]
        return _together(workers)
    finally:
        _send(workers, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
        for number, handler in before.items():
            signal.signal(number, handler)


def _command(arguments: list[str]) -> list[str]:
    return [sys.executable, "-m", "dcp", *arguments]


def _place(rank: int, count: int, port: int) -> dict[str, str]:
    """The environment of one process."""
    own = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "MASTER_PORT": port}
    return {**os.environ, "MASTER_ADDR": "127.0.0.1", **{name: str(value) for name, value in own.items()}}


def _free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return int(chosen.getsockname()[1])


def _together(workers: list[subprocess.Popen[bytes]]) -> int:
    """Wait for all; once one has failed the others have GRACE_S to end."""
    code, until = 0, float("inf")
    while any(worker.poll() is None for worker in workers):
        code = code or _first_bad(workers)
        if code and until == float("inf"):
            until = time.monotonic() + GRACE_S
        if time.monotonic() > until:
            return code
        time.sleep(0.05)
    return code or _first_bad(workers)


def _first_bad(workers: list[subprocess.Popen[bytes]]) -> int:
    """An exit code that is not 0, if there is one; that of a failed run for a process that a signal killed."""
    codes = [worker.returncode for worker in workers if worker.returncode]
    return codes[0] if codes and codes[0] > 0 else FAILED if codes else DONE


def _send(workers: list[subprocess.Popen[bytes]], number: int) -> None:
    for worker in workers:
        if worker.poll() is None:
            worker.send_signal(number)
