"""Start several processes of the same command on this machine; signals go in, an exit code comes out.

Each process gets its rank in the variables that torchrun sets too. Not torchrun itself: it turns every exit code into 1
and prints its own report over the error that a user should see.

Each process leads a session of its own, so that what a terminal sends reaches this command alone, which passes it on
once. And each has a pipe for its standard input, whose other end is open here alone: it ends when this command does,
however that happened.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from types import FrameType

from dcp.cli.exit_codes import LAUNCHED, LOST, is_main
from dcp.errors import DONE, FAILED, STOPPED, ProcessLost
from dcp.training.signals import SAVES, STOPS

GRACE_S = 20.0  # for the others to end by themselves when one has failed: they may wait for it in vain
SAVING_S = 300.0  # the same when it has stopped as asked: they may be saving
POLL_S = 0.05


def launch(arguments: list[str], processes: int, stdout: int | None = None) -> int:
    """Run `python -m dcp ARGUMENTS` in so many processes that train together.

    Args:
        arguments: of the command.
        processes: how many.
        stdout: descriptor for what they print; that of this process if None.

    Returns:
        0, or the exit code of a process that ended with another; 130 or 143 where a signal asked for the end.

    Raises:
        ProcessLost: one was killed, or crashed; nobody else has said so.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    workers: list[subprocess.Popen[bytes]] = []
    heard: list[int] = []  # signals that are to be passed on

    def hear(number: int, frame: FrameType | None) -> None:
        heard.append(number)

    before = {number: signal.signal(number, hear) for number in _passed_on(STOPS, ("SIGTSTP",))}
    try:
        for rank in range(processes):
            ranks = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
            own = {**ranks, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, LAUNCHED: 1}
            # torch's own reports of lost processes come before ours, and say less
            environment = {
                "TORCH_CPP_LOG_LEVEL": "FATAL",
                **os.environ,
                **{name: str(value) for name, value in own.items()},
            }
            command = [sys.executable, "-m", "dcp", *arguments]
            pipe = subprocess.PIPE
            worker = subprocess.Popen(command, env=environment, stdin=pipe, stdout=stdout, start_new_session=True)
            workers.append(worker)
        # after they have begun: what is ignored here is ignored in them, until their training hears it
        before |= {number: signal.signal(number, hear) for number in _passed_on(SAVES)}
        return _wait(workers, heard)
    finally:
        for worker in workers:
            worker.kill()  # nothing where it has ended
            worker.communicate()
        for number, handler in before.items():
            signal.signal(number, handler)


def end_with_launcher() -> None:
    """End this process, at once and without saving, when the command that launched it has ended; in the background."""
    threading.Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    while os.read(0, 1):
        pass
    if is_main():
        what = "the command that started this training was killed"
        print(ProcessLost(what, slug="process-lost", hint="Go on with --resume."), file=sys.stderr, flush=True)
    os._exit(FAILED)


def _passed_on(*kinds: Iterable[str]) -> list[int]:
    """Those of some signals that the processes are to hear: that are not ignored, but for those that training hears."""
    numbers = {name: getattr(signal, name) for kind in kinds for name in kind if hasattr(signal, name)}
    heard = ("SIGINT", *SAVES)
    return [n for name, n in numbers.items() if name in heard or signal.getsignal(n) is not signal.SIG_IGN]


def _wait(workers: list[subprocess.Popen[bytes]], heard: list[int]) -> int:
    """Wait for all, passing on what is heard; once one has ended badly the others have some time to end."""
    asked, until = DONE, float("inf")  # the exit code of a signal that asked for the end
    while None in (codes := [worker.poll() for worker in workers]):
        while heard:
            name = signal.Signals(heard.pop(0)).name
            asked = STOPS.get(name, asked)
            if name == "SIGTSTP":
                _send(workers, signal.SIGSTOP)
                os.kill(os.getpid(), signal.SIGSTOP)  # until the shell lets us go on
                _send(workers, signal.SIGCONT)
            else:
                _send(workers, getattr(signal, name))
        bad = [code for code in codes if code]
        if bad and until == float("inf"):
            stopped = bad[0] in STOPPED
            until = time.monotonic() + (SAVING_S if stopped else GRACE_S)
        if time.monotonic() > until:
            break
        time.sleep(POLL_S)
    for number in heard:  # too late for the processes, but not for what would come after them
        asked = STOPS.get(signal.Signals(number).name, asked)
    return _exit_code(workers, asked)


def _send(workers: list[subprocess.Popen[bytes]], number: int) -> None:
    for worker in workers:
        worker.send_signal(number)  # nothing where it has ended


def _exit_code(workers: list[subprocess.Popen[bytes]], asked: int) -> int:
    """One code for all.

    Raises:
        ProcessLost: one was killed, and not as asked.
    """
    codes = [worker.poll() for worker in workers]
    if not any(codes):
        return asked
    killed = {rank: -code for rank, code in enumerate(codes) if code is not None and code < 0}
    stops = [code for code in codes if code in STOPPED] or ([asked] if asked and killed else [])
    if stops:
        if codes[0] not in stops:  # which would have said it
            print("stopped; no new checkpoint was saved", file=sys.stderr)
        return stops[0]
    for rank, number in killed.items():
        what = f"process {rank} of {len(codes)} was ended by signal {number} ({signal.strsignal(number)})"
        hint = "if memory ran out, for which Linux kills: fewer processes, or a smaller train.batch"
        raise ProcessLost(what, slug="process-lost", hint=f"Go on with --resume; {hint}.")
    if set(codes) <= {DONE, LOST, None}:
        hint = "They wait half an hour for one that does not answer. Go on with --resume."
        raise ProcessLost("the processes of this run have lost each other", slug="process-lost", hint=hint)
    return next(code for code in codes if code and code != LOST)
