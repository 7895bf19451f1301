"""Who writes to a run: which process of which machine, and whether it still lives."""

import os
import secrets
import socket
import sys
from datetime import datetime, timezone
from pathlib import Path

from pydantic import Field, ValidationError

from dcp.runs.records import Record

# file systems of one machine: on them a lock that is held is seen by all who could write
LOCAL = {*("ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "bcachefs", "jfs", "tmpfs", "overlay", "ntfs3")}


_own: set[str] = set()  # tokens of the leases that this process has, or is about to take


class Owner(Record):
    """A process that writes to a run, as its lease says."""

    token: str = Field(pattern="[0-9a-f]{32}")  # of this lease alone
    host: str = Field(max_length=255)  # name of the machine
    boot: str = ""  # of the machine since it was started; "" where the system does not say
    namespace: str = ""  # in which the process has its number, as containers have their own; the same
    pid: int = Field(gt=0, lt=2**31)
    born: str = ""  # when the process began, which tells it from another of the same number later; the same
    group: str = ""  # what the processes have in common that train together; "" for one alone
    started: str = Field("", max_length=40)  # when it took the run, UTC, ISO 8601

    @classmethod
    def me(cls) -> "Owner":
        """This process, with a new token."""
        pid, token = os.getpid(), secrets.token_hex(16)
        state = _state(pid)
        _own.add(token)
        return cls(
            token=token,
            host=_host(),
            boot=_boot(),
            namespace=_namespace(),
            pid=pid,
            born=state[1] if state else "",
            group=group(),
            started=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        )

    @classmethod
    def parsed(cls, data: bytes) -> "Owner | None":
        """What a lease says; None where it says something else."""
        try:
            return cls.model_validate_json(data)
        except ValidationError:
            return None

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.started}"

    def data(self) -> bytes:
        """What stands in its lease."""
        return self.model_dump_json().encode() + b"\n"

    def is_here(self) -> bool:
        """Whether this process could see it, if it lived."""
        if sys.platform == "win32" or self.namespace != _namespace() or self.boot != _boot():
            return False
        return bool(self.boot) or self.host == _host()

    def was_here(self) -> bool:
        """Whether it ran on this machine before that was started again: it has ended. Names tell machines apart."""
        return self.host == _host() and bool(self.boot) and bool(_boot()) and self.boot != _boot()

    def lives(self) -> bool:
        """Whether it lives, and still writes if it is this process; of a process that is here."""
        if self.pid == os.getpid():
            return self.token in _own
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except OSError:  # it is somebody else's, and /proc may hide those
            pass
        state = _state(self.pid)  # Z: dead, not yet buried
        return state is None or (state[0] not in "ZX" and (not self.born or state[1] == self.born))

    def ends(self) -> None:
        """This process gives the lease back. It is void then, even if its file is in a folder that was moved."""
        _own.discard(self.token)


def group() -> str:
    """What the processes have in common that a launcher has started to train together; "" for one alone."""
    if os.environ.get("WORLD_SIZE", "1") == "1":
        return ""
    return ":".join(os.environ.get(name, "") for name in ("MASTER_ADDR", "MASTER_PORT"))


def has_the_boot_of(owner: Owner | None) -> bool:
    """Whether a process ran on this machine since it was started, be it in another container."""
    return owner is not None and bool(owner.boot) and owner.boot == _boot()


def is_local(folder: Path) -> bool:
    """Whether a folder lies on a file system of this machine alone, as far as is known."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines()
        place = folder.resolve()
    except OSError:
        return False
    kinds = {}
    for line in lines:
        mount, _, kind = line.partition(" - ")
        point = Path(mount.split()[4].replace("\\040", " "))
        if place.is_relative_to(point):
            kinds[len(point.parts)] = kind.split()[0]  # of two at one point the later lies on top
    return bool(kinds) and kinds[max(kinds)] in LOCAL


def _host() -> str:
    return socket.gethostname().encode("ascii", "replace").decode()[:255]


def _boot() -> str:
    return _said("/proc/sys/kernel/random/boot_id")


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _said(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace").strip()
    except OSError:
        return ""


def _state(pid: int) -> tuple[str, str] | None:
    """State of a process, a letter, and when it began, in ticks; None without it, or where the system does not say."""
    fields = _said(f"/proc/{pid}/stat").rpartition(")")[2].split()  # its name, in parentheses, may hold anything
    return (fields[0], fields[19]) if len(fields) > 19 else None
