"""How processes that train together find each other: the variables that torchrun sets, and a wait that is told.

Process 0 opens a store at MASTER_ADDR:MASTER_PORT, or torchrun's agent has one there; every process writes into it that
it is here. Then each connects to all others. torch's own waits for this are silent, deaf to Ctrl-C, and end after half
an hour.
"""

import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TypeVar

import torch
from torch.distributed import PrefixStore, Store, TCPStore, init_process_group  # type: ignore[attr-defined]
from torch.distributed.distributed_c10d import _get_default_group, _get_default_timeout

from dcp.errors import RequestError, RunError
from dcp.hardware import lifeline
from dcp.hardware.lifeline import Lifeline

VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
# by which launchers of MPI tell how many there are; their ranks are not understood
OTHER_SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
WAIT = "DCP_WAIT_S"  # the variable of the seconds until a process gives the others up
SILENT = "DCP_SILENT_S"  # the same once they train
WAIT_S, SAID_AFTER_S, POLL_S = 600.0, 5.0, 0.1
LATE_S = 5.0  # for torch to keep its own limits, whose errors say more than ours
START = "dcp pretrain --processes N starts N processes on this machine, torchrun on several"

Say = Callable[[str], None]
T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """The processes that train together, and which of them this is."""

    rank: int = 0  # its number, from 0
    local_rank: int = 0  # the same among those of its machine
    count: int = 1
    address: str = ""  # where they meet; nowhere where there is one
    port: int = 0
    wait_s: float = WAIT_S  # for the others
    silent_s: float = lifeline.SILENT_S  # without an answer of another machine, which then counts as gone
    local: bool = False  # all are on this machine

    def variables(self) -> dict[str, str | None]:
        """What torch and Accelerate are to read in the environment; None for what is not to be there."""
        if self.count == 1:
            return dict.fromkeys((*VARIABLES, "LOCAL_WORLD_SIZE"))
        values = (self.rank, self.local_rank, self.count, self.address, self.port)
        return dict(zip(VARIABLES, map(str, values), strict=True))


def world() -> World:
    """The world that the environment describes; of one process where it says nothing of others.

    Raises:
        RequestError: "bad-environment", what it says of others is wrong or incomplete.
    """
    size = os.environ.get("WORLD_SIZE", "1")
    for name in OTHER_SIZES if size == "1" else ():
        if _number(name, 0, 2**31) > 1:
            hint = f"{START}; unset {name} if this process is to train alone."
            what = f"{name} is {os.environ[name]}: dcp does not take part in MPI's groups of processes"
            raise RequestError(what, slug="bad-environment", where=name, hint=hint)
    count = _number("WORLD_SIZE", 1, 2**31)
    if count == 1:
        return World()
    if missing := [name for name in VARIABLES if not os.environ.get(name)]:
        verb = "is" if len(missing) == 1 else "are"
        what = f"WORLD_SIZE is {size}, and {', '.join(missing)} {verb} not set"
        raise RequestError(what, slug="bad-environment", where="WORLD_SIZE",
                           hint=f"{START}; unset WORLD_SIZE if this process is to train alone.")  # fmt: skip
    rank, local_rank = _number("RANK", 0, count), _number("LOCAL_RANK", 0, count)
    port, local = _number("MASTER_PORT", 1, 2**16), os.environ.get("LOCAL_WORLD_SIZE") == size
    wait_s, silent_s = _seconds(WAIT, WAIT_S), _seconds(SILENT, lifeline.SILENT_S)
    return World(rank, local_rank, count, os.environ["MASTER_ADDR"], port, wait_s, silent_s, local)


def _number(name: str, low: int, high: int) -> int:
    """The whole number, low <= n < high, that a variable holds; low where it is not set."""
    text = os.environ.get(name, str(low))
    if re.fullmatch(r"[0-9]{1,10}", text) and low <= int(text) < high:
        return int(text)
    what, hint = f"{name} is {text}, expected a whole number from {low} to {high - 1}", f"{START}; or unset {name}."
    raise RequestError(what, slug="bad-environment", where=name, hint=hint)


def _seconds(name: str, default: float) -> float:
    """The time that a variable holds."""
    text = os.environ.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,7})?", text):
        hint = f"e.g. {name}=60"
        raise RequestError(f"{name} is {text}, no time in seconds", slug="bad-environment", where=name, hint=hint)
    return float(text)


def join(world: World, device: str, say: Say) -> Lifeline | None:
    """Wait for the others and make torch's group of processes: gloo on CPUs, NCCL on GPUs.

    Args:
        world: of this process, among at least two.
        device: "cpu" or "cuda".
        say: told what is waited for.

    Returns:
        What notices that one of several machines is lost; on one machine whoever started the processes does.

    Raises:
        RequestError: two processes have the same rank, or more are on this machine than it has GPUs.
        RunError: "no-group", the others do not come, or the network does not let them meet.
    """
    backend = {"cpu": "gloo", "cuda": "nccl"}.get(device)
    if backend is None:
        hint = "train in one process, or with --device cpu"
        raise RequestError(f"processes cannot train together on {device}", slug="no-device", where=device, hint=hint)
    if device == "cuda" and world.local_rank >= torch.cuda.device_count():
        gpus, nth = torch.cuda.device_count(), world.local_rank + 1
        what = f"this machine has {gpus} GPU{'' if gpus == 1 else 's'}, and process {nth} needs another"
        hint = "as many processes as GPUs at most, or --device cpu"
        raise RequestError(what, slug="no-device", where="--processes", hint=hint)
    until = time.monotonic() + world.wait_s
    try:
        store = _gathered(world, _Patience(world, say, until))
        what = "connections to the other processes, which are all here"
        return _Patience(world, say, until, LATE_S).until(what, partial(_connected, world, backend, store, until))
    except (RuntimeError, ValueError, OSError) as error:  # dist's own derive from RuntimeError
        reason = str(error).partition("\n")[0]
        hint = "Have all processes been started, and can the machines reach each other, on any port?"
        where = f"{world.address}:{world.port}"
        raise RunError(f"the processes do not meet: {reason}", slug="no-group", where=where, hint=hint) from None


class _Patience:
    """Says what is waited for when it takes long, and gives up in the end."""

    def __init__(self, world: World, say: Say, limit: float, late_s: float = 0.0) -> None:
        self.world, self.say, self.limit, self.late_s = world, say, limit, late_s
        self.began, self.said = time.monotonic(), False

    def wait(self, what: str) -> None:
        """Wait a moment longer; `what` is waited for.

        Raises:
            RunError: "no-group", it has taken too long.
        """
        now, where = time.monotonic(), f"{self.world.address}:{self.world.port}"
        if now > self.limit + self.late_s:
            hint = f"Start all of them within this time, or set {WAIT} to more seconds."
            waited = f"waited {now - self.began:.0f} s in vain for {what}"
            raise RunError(waited, slug="no-group", where=where, hint=hint)
        if now - self.began > SAID_AFTER_S and not self.said:
            self.said = True
            if self.world.local_rank == 0:  # one word a machine
                self.say(f"waiting at {where}, {self.limit - self.began:.0f} s at most, for {what}")
        time.sleep(POLL_S)

    def until(self, what: str, make: Callable[[], T]) -> T:
        """What `make` returns, which is called in a thread: torch does not hear Ctrl-C while it waits.

        Raises:
            RunError: "no-group", it has taken too long.
            Exception: what `make` raises.
        """
        future: Future[T] = Future()

        def call() -> None:
            try:
                future.set_result(make())
            except Exception as error:
                future.set_exception(error)

        threading.Thread(target=call, daemon=True).start()
        while not future.done():
            self.wait(what)
        return future.result()


def _gathered(world: World, patience: _Patience) -> Store:
    """The part of the store that belongs to these processes alone, once all of them are here.

    The store of torchrun's agent outlives processes that it starts anew, and all that those have written. They cannot
    tell themselves apart from the new ones: after a failure, agents differ in TORCHELASTIC_RESTART_COUNT. So process 0
    draws a name for the part, and tells it to each that asks with a word that was never used before.
    """
    store, shared, name = _store(world, patience), _agent_has_store(), secrets.token_hex(8)
    if shared and world.rank > 0:
        store.set(f"dcp/asks/{world.rank}", name)
        while not store.check([f"dcp/told/{name}"]):
            patience.wait("process 0")
        name = store.get(f"dcp/told/{name}").decode()
    own = PrefixStore(f"dcp/{name}" if shared else "dcp", store)
    if own.add(str(world.rank), 1) > 1 and not shared:  # torchrun gives each rank once
        hint = f"each process needs a RANK of its own. {START}."
        raise RequestError(f"two processes have the rank {world.rank}", slug="bad-environment", where="RANK", hint=hint)
    ranks = [str(rank) for rank in range(world.count)]
    while missing := [] if own.check(ranks) else [rank for rank in ranks if not own.check([rank])]:
        for rank in missing if shared and world.rank == 0 else ():
            if store.check([f"dcp/asks/{rank}"]):
                store.set(f"dcp/told/{store.get(f'dcp/asks/{rank}').decode()}", name)
        listed = ", ".join(missing[:8]) + (", ..." if len(missing) > 8 else "")
        patience.wait(f"{len(missing)} other process{'' if len(missing) == 1 else 'es'} (rank {listed})")
    return own


def _connected(world: World, backend: str, store: Store, until: float) -> Lifeline | None:
    """Make torch's group and, where there are several machines, the lifeline."""
    _group(world, backend, store, max(until - time.monotonic(), 1.0))
    of, wait_s = (world.rank, world.count, world.address, store), max(until - time.monotonic(), 1.0)
    return None if world.local else lifeline.tied(*of, silent_s=world.silent_s, wait_s=wait_s)


def _group(world: World, backend: str, store: Store, wait_s: float) -> None:
    """Make torch's group within `wait_s`, which is not the time-out of its collectives."""
    wait, usual = timedelta(seconds=wait_s), _get_default_timeout(backend)
    store.set_timeout(wait)
    init_process_group(backend, store=store, rank=world.rank, world_size=world.count, timeout=wait)
    store.set_timeout(usual)
    device = torch.device("cpu" if backend == "gloo" else "cuda")
    _get_default_group()._get_backend(device)._set_default_timeout(usual)  # torch 2.11 has no dist.set_timeout


def _agent_has_store() -> bool:
    """Whether the store is that of torchrun's agent."""
    return os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"


def _store(world: World, patience: _Patience) -> Store:
    """The store of all processes, once it is there."""
    hosts = world.rank == 0 and not _agent_has_store()
    address = "127.0.0.1" if hosts else world.address
    if hosts and (why := _unreachable(lambda: socket.create_server(("", world.port)))):
        hint = "another MASTER_PORT; a training that uses this one may still be running"
        what = f"process 0 cannot listen at port {world.port}: {why}"
        raise RequestError(what, slug="bad-environment", where="MASTER_PORT", hint=hint)
    while not hosts and (why := _unreachable(lambda: socket.create_connection((address, world.port), timeout=1))):
        patience.wait(f"process 0: {why}")
    size, wait = world.count, timedelta(seconds=30)
    connect = partial(TCPStore, address, world.port, size, hosts, wait, wait_for_workers=False)
    return patience.until("process 0: something else answers there", connect)


def _unreachable(open_: Callable[[], socket.socket]) -> str:
    """Why a socket cannot be opened; "" if it can. It is closed again."""
    try:
        open_().close()
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        return why.partition(" (")[0]  # Python adds the address to some
    return ""
