"""Start several processes of the same command on this machine; signals go in, an exit code comes out.

Each process gets its rank in the variables that torchrun sets too, and Accelerate reads them. Not torchrun itself:
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
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    workers: list[subprocess.Popen[bytes]] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        # Ctrl-C has reached the workers already: the terminal sends it to all
        if number != signal.SIGINT:
            _send(workers, number)

    passed = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2") if hasattr(signal, name)]
    before = {number: signal.signal(number, pass_on) for number in passed}
    try:
        for rank in range(processes):
            ranks = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
            own = {**ranks, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
            environment = {**os.environ, **{name: str(value) for name, value in own.items()}}
            workers.append(subprocess.Popen([sys.executable, "-m", "dcp", *arguments], env=environment))
        return _wait(workers)
    finally:
        _send(workers, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(workers: list[subprocess.Popen[bytes]]) -> int:
    """Wait for all; once one has failed the others have GRACE_S to end."""
    code, until = DONE, float("inf")
    while any(worker.poll() is None for worker in workers):
        code = code or _exit_code(workers)
        if code and until == float("inf"):
            until = time.monotonic() + GRACE_S
        if time.monotonic() > until:
            return code
        time.sleep(0.05)
    return code or _exit_code(workers)


def _exit_code(workers: list[subprocess.Popen[bytes]]) -> int:
    """An exit code that is not 0, if there is one; that of a failed run for a process that a signal killed."""
    codes = [worker.returncode for worker in workers if worker.returncode]
    return codes[0] if codes and codes[0] > 0 else FAILED if codes else DONE


def _send(workers: list[subprocess.Popen[bytes]], number: int) -> None:
    for worker in workers:
        if worker.poll() is None:
            worker.send_signal(number)
