"""How processes that train together find each other: the variables that torchrun sets, and a wait that is told.

Process 0 opens a store at MASTER_ADDR:MASTER_PORT, or torchrun's agent has one there; every process writes into it that
it is here. torch's own wait for this is silent, deaf to Ctrl-C, and ends after half an hour.
"""

import os
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import torch
from torch.distributed import Store, TCPStore, init_process_group  # type: ignore[attr-defined]

from dcp.errors import RequestError, RunError
from dcp.hardware import lifeline
from dcp.hardware.lifeline import Lifeline

VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
# by which launchers of MPI tell how many there are; their ranks are not understood
OTHER_SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
WAIT = "DCP_WAIT_S"  # the variable of the seconds until a process gives the others up
SILENT = "DCP_SILENT_S"  # the same once they train
WAIT_S, SAID_AFTER_S, POLL_S = 600.0, 5.0, 0.1
START = "dcp pretrain --processes N starts N processes on this machine, torchrun on several"

Say = Callable[[str], None]


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
        gpus = torch.cuda.device_count()
        what = (
            f"this machine has {gpus} GPU{'' if gpus == 1 else 's'}, and process {world.local_rank + 1} needs another"
        )
        hint = "as many processes as GPUs at most, or --device cpu"
        raise RequestError(what, slug="no-device", where="--processes", hint=hint)
    patience = _Patience(world, say)
    try:
        store = _store(world, patience)
        if store.add(f"dcp/{world.rank}", 1) > 1:
            hint = f"each process needs a RANK of its own. {START}."
            raise RequestError(
                f"two processes have the rank {world.rank}", slug="bad-environment", where="RANK", hint=hint
            )
        everyone = [f"dcp/{rank}" for rank in range(world.count)]
        while not store.check(everyone):
            patience.wait(partial(_missing, store, everyone))
        init_process_group(backend, store=store, rank=world.rank, world_size=world.count)
        if world.local:
            return None
        of, times = (world.rank, world.count, world.address, store), (world.silent_s, world.wait_s)
        return lifeline.tied(*of, silent_s=times[0], wait_s=times[1])
    except (RuntimeError, ValueError, OSError) as error:  # dist's own derive from RuntimeError
        reason = str(error).partition("\n")[0]
        hint = "Can the machines reach each other, and have all processes been started?"
        where = f"{world.address}:{world.port}"
        raise RunError(f"the processes do not meet: {reason}", slug="no-group", where=where, hint=hint) from None


def _missing(store: Store, everyone: list[str]) -> str:
    """Who is not here yet, in words."""
    ranks = [str(rank) for rank, name in enumerate(everyone) if not store.check([name])]
    listed = ", ".join(ranks[:8]) + (", ..." if len(ranks) > 8 else "")
    return f"{len(ranks)} other process{'' if len(ranks) == 1 else 'es'} (rank {listed})"


class _Patience:
    """Says what is waited for when it takes long, and gives up in the end."""

    def __init__(self, world: World, say: Say) -> None:
        self.world, self.say, self.began, self.said = world, say, time.monotonic(), False

    def wait(self, what: Callable[[], str]) -> None:
        """Wait a moment longer; `what` is waited for.

        Raises:
            RunError: "no-group", it has taken too long.
        """
        waited, limit = time.monotonic() - self.began, self.world.wait_s
        where = f"{self.world.address}:{self.world.port}"
        if waited > limit:
            hint = f"Start all of them within this time, or set {WAIT} to more seconds."
            raise RunError(f"waited {limit:.0f} s in vain for {what()}", slug="no-group", where=where, hint=hint)
        if waited > SAID_AFTER_S and not self.said:
            self.said = True
            if self.world.local_rank == 0:  # one word a machine
                self.say(f"waiting at {where}, {limit:.0f} s at most, for {what()}")
        time.sleep(POLL_S)


def _store(world: World, patience: _Patience) -> Store:
    """The store of all processes, once it is there."""
    hosts = world.rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    address = "127.0.0.1" if hosts else world.address
    if hosts and (why := _unreachable(lambda: socket.create_server(("", world.port)))):
        hint = "another MASTER_PORT; a training that uses this one may still be running"
        what = f"process 0 cannot listen at port {world.port}: {why}"
        raise RequestError(what, slug="bad-environment", where="MASTER_PORT", hint=hint)
    while not hosts and (why := _unreachable(lambda: socket.create_connection((address, world.port), timeout=1))):
        patience.wait(lambda why=why: f"process 0: {why}")  # type: ignore[misc]
    results: list[Store | Exception] = []

    def connect() -> None:  # in a thread of its own: it does not return where something else listens there
        try:
            wait, size = timedelta(seconds=30), world.count
            results.append(TCPStore(address, world.port, size, hosts, wait, wait_for_workers=False))
        except Exception as error:
            results.append(error)

    threading.Thread(target=connect, daemon=True).start()
    while not results:
        patience.wait(lambda: "process 0: something else answers there")
    if isinstance(results[0], Exception):
        raise results[0]
    return results[0]


def _unreachable(open_: Callable[[], socket.socket]) -> str:
    """Why a socket cannot be opened; "" if it can. It is closed again."""
    try:
        open_().close()
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        return why.partition(" (")[0]  # Python adds the address to some
    return ""
