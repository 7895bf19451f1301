"""Lifelines: one connection from each process of a training to the first, by which the loss of one is noticed.

A collective waits for half an hour before it gives up, in silence. So each process keeps a connection open on which
next to nothing is sent: the operating systems ask each other whether the other end is there (TCP's keepalive). It ends
at once when a process ends, and after a while when a machine or the network is gone. It does not end while a process
computes, saves or is halted for hours, whatever its threads do.
"""

import contextlib
import os
import secrets
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from torch.distributed import Store  # type: ignore[attr-defined]

from dcp.errors import Interrupted

KEY = "dcp/lifeline"  # in the store: where the first process listens, and what it wants to hear
SILENT_S = 30.0  # without an answer after which a machine counts as gone
GRACE_S = 10.0  # for the training to hear of it by itself and to end as it does
PROBES = 4  # that are not answered
HELLO_S, LONGEST, POLL_S = 5.0, 512, 0.5  # for a caller to say who it is, in so many bytes
SAVING_S = 600.0  # how long a checkpoint may take, if a process is lost while it is written
TRAINS, RESTS = b"1", b"0"

Lost = Callable[[str], None]


@dataclass
class Peer:
    """A process at the other end of a line."""

    rank: int
    host: str
    begun: int = 0  # trainings
    rests: bool = True  # it has ended them all
    gone: str = ""  # what became of it, in words

    def __str__(self) -> str:
        return f"process {self.rank} (on {self.host})"


class Lifeline:
    """The lines of this process: of the first one to all others, of these to the first.

    Args:
        lines: open connections, and who is at the other end.

    Attributes:
        saving: held while what is computed is written, which is not to be cut short.
    """

    def __init__(self, lines: dict[socket.socket, Peer]) -> None:
        self.lines, self.peers = lines, list(lines.values())
        self.saving = threading.Lock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._close)  # or a child would keep up the lines of a dead parent
        self._begun = 0
        self._lost: Lost | None = None
        threading.Thread(target=self._listen, name="lifeline", daemon=True).start()

    @contextlib.contextmanager
    def watched(self, lost: Lost) -> Iterator[None]:
        """Call `lost` with what happened, in a thread, if a process goes that trains with this one in this block.

        It has GRACE_S to end by itself before. A process that has come to the end of its block, or was interrupted in
        it, may go.
        """
        self._begun += 1
        self._lost = lost
        self._tell(TRAINS)
        try:
            yield
        except Interrupted:
            self._tell(RESTS)
            raise
        else:
            self._tell(RESTS)
        finally:
            self._lost = None

    def _close(self) -> None:
        for line in self.lines:
            line.close()

    def _tell(self, what: bytes) -> None:
        for line in list(self.lines):
            with contextlib.suppress(OSError):  # it is cut, which is noticed where it is listened to
                line.sendall(what)

    def _listen(self) -> None:
        selector = selectors.DefaultSelector()
        for line in self.lines:
            selector.register(line, selectors.EVENT_READ, line)
        since = None  # when it was noticed that one is lost
        while True:
            for key, _ in selector.select(timeout=GRACE_S / 10):
                if not self._hear(key.data):
                    selector.unregister(key.data)
            lost, missing = self._lost, next(filter(self._misses, self.peers), None)
            if lost is None or missing is None:
                since = None
                continue
            since = since or time.monotonic()
            if time.monotonic() - since >= GRACE_S:
                saved = self.saving.acquire(timeout=SAVING_S)
                if self._lost is lost:
                    lost(f"{missing} {missing.gone}")
                    return
                if saved:
                    self.saving.release()

    def _hear(self, line: socket.socket) -> bool:
        """Note what has come on a line; False at its end."""
        peer = self.lines[line]
        try:
            said = line.recv(64)
            peer.gone = "" if said else "has ended"
        except OSError:
            said, peer.gone = b"", "does not answer: it, its machine or the network between is gone"
        for letter in said:
            peer.rests = letter == RESTS[0]
            peer.begun += letter == TRAINS[0]
        return not peer.gone

    def _misses(self, peer: Peer) -> bool:
        return bool(peer.gone) and not (peer.rests and peer.begun >= self._begun)


def tied(rank: int, count: int, address: str, store: Store, *, silent_s: float, wait_s: float) -> Lifeline:
    """The lifeline of this process, once all are there.

    Args:
        rank: number of this process, from 0.
        count: how many there are.
        address: of the first one's machine.
        store: of all.
        silent_s: without an answer after which a machine counts as gone.
        wait_s: at most.

    Raises:
        OSError: the others cannot be reached.
    """
    host = socket.gethostname().encode("ascii", "replace").decode()
    if rank == 0:
        lines = _accepted(count, host, store, wait_s)
    else:
        store.wait([KEY], timedelta(seconds=wait_s))
        port, token, first = store.get(KEY).decode().split()
        line = socket.create_connection((address, int(port)), timeout=wait_s)
        line.sendall(f"{token} {rank} {host}\n".encode())
        lines = {line: Peer(0, first)}
    for line in lines:
        _keep_alive(line, silent_s)
    return Lifeline(lines)


@dataclass
class _Caller:
    """Somebody who has called the first process, and has not said yet who it is."""

    line: socket.socket
    until: float  # when it is given up, by the monotonic clock
    said: bytes = b""

    def hear(self) -> bool:
        """Take what has come of its first line, and nothing of what follows; True once there is no more of it."""
        try:
            while not self.said.endswith(b"\n") and len(self.said) < LONGEST:
                if not (letter := self.line.recv(1)):
                    break
                self.said += letter
        except OSError as error:
            return not isinstance(error, BlockingIOError)
        return True

    def peer(self, token: str, missing: set[int]) -> Peer | None:
        """Who it is, if it is one of those that are missing."""
        with contextlib.suppress(ValueError):
            said, number, name = self.said.decode("ascii").split()
            if secrets.compare_digest(said, token) and int(number) in missing:
                return Peer(int(number), name)
        return None


def _accepted(count: int, host: str, store: Store, wait_s: float) -> dict[socket.socket, Peer]:
    """The lines from all others to the first process; callers are heard side by side, each for HELLO_S at most."""
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    token, until = secrets.token_hex(16), time.monotonic() + wait_s
    lines: dict[socket.socket, Peer] = {}
    missing = set(range(1, count))
    server = socket.create_server(("", 0), family=family, backlog=count, dualstack_ipv6=both)
    with contextlib.ExitStack() as closes, server, selectors.DefaultSelector() as selector:
        server.setblocking(False)
        selector.register(server, selectors.EVENT_READ)
        store.set(KEY, f"{server.getsockname()[1]} {token} {host}")
        callers: dict[socket.socket, _Caller] = {}
        closes.callback(lambda: [line.close() for line in (*callers, *(lines if missing else ()))])
        while missing:
            if (now := time.monotonic()) >= until:
                raise TimeoutError(f"process {', '.join(map(str, sorted(missing)[:8]))} did not call process 0")
            came = {key.fileobj for key, _ in selector.select(min(until - now, POLL_S))}
            if server in came:
                with contextlib.suppress(OSError):  # it has hung up
                    line, _ = server.accept()
                    line.setblocking(False)
                    selector.register(line, selectors.EVENT_READ)
                    callers[line] = _Caller(line, now + HELLO_S)
            for caller in list(callers.values()):
                if not (caller.line in came and caller.hear()) and now < caller.until:
                    continue
                selector.unregister(caller.line)
                del callers[caller.line]
                if peer := caller.peer(token, missing):
                    lines[caller.line] = peer
                    missing.remove(peer.rank)
                else:
                    caller.line.close()
    return lines


def _keep_alive(line: socket.socket, silent_s: float) -> None:
    """Have the system ask whether the other end is there, and take it for gone after so many seconds."""
    line.settimeout(None)
    idle, interval = max(int(silent_s / 3), 1), max(int(silent_s * 2 / 3 / PROBES), 1)
    values = {"TCP_KEEPIDLE": idle, "TCP_KEEPALIVE": idle, "TCP_KEEPINTVL": interval, "TCP_KEEPCNT": PROBES}
    if sys.platform == "linux":
        del values["TCP_KEEPALIVE"]  # of macOS
        values["TCP_USER_TIMEOUT"] = int(1000 * silent_s)  # for what was sent and not acknowledged
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in values.items():
        if (option := getattr(socket, name, None)) is not None:
            with contextlib.suppress(OSError):
                line.setsockopt(socket.IPPROTO_TCP, option, value)
