"""One writer at a time: whatever the file system's locks are worth, wherever the folder goes, whoever was killed."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import dcp
from dcp.errors import RunBusy, RunError
from dcp.runs import held_folder, lease, locking, own_files, owner, taking
from dcp.runs.own_files import open_file
from dcp.runs.owner import Owner
from dcp.runs.run import Run

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(dcp.__file__).parents[1])}
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="flock and signals are POSIX")
HOLD = """
import sys
from dcp.runs.run import Run
with Run.open(sys.argv[1]).lock():
    print("held", flush=True)
    sys.stdin.readline()
"""


def create(root: Path, seed: int = 0, **fields: object) -> Run:
    return Run.create(root, "tiny", seed, "[run]\n", {"device": "cpu", **fields})


def python(code: str, *words: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.Popen(command, env=ENVIRONMENT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def another(**fields: object) -> Owner:
    """An owner on another machine."""
    return Owner.me().model_copy(update={"host": "elsewhere", "boot": "another", "pid": 4711, **fields})


def left(run: Run, who: Owner, minutes: float = 0.0) -> None:
    """A lease that was touched so long ago, by the file system's clock."""
    path = run.path / lease.FILE
    path.write_bytes(who.data())
    os.utime(path, (path.stat().st_mtime - 60 * minutes,) * 2)


def locks(monkeypatch: pytest.MonkeyPatch, flock: Callable[..., None]) -> None:
    monkeypatch.setattr("fcntl.flock", flock)


def always(*_: object) -> None:
    """A lock that is granted to everybody."""


def never(*_: object) -> None:
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))


def refused(run: Run) -> str:
    with pytest.raises(RunBusy) as caught, Run.open(run.path).lock():
        pass
    return str(caught.value)


@pytest.fixture
def network_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run lies on a file system of several machines."""
    for module in (lease, taking):
        monkeypatch.setattr(module, "is_local", lambda folder: False)


def test_a_run_that_is_held_names_its_writer_and_is_clean_when_that_has_ended(tmp_path):
    run = create(tmp_path)
    with run.lock():
        said = refused(run)
        assert said.startswith(f"error[run-busy]: another process is writing to this run: process {os.getpid()} on ")
        assert f"since {lease.read(run.path).owner.started} ({run.path})" in said
    assert sorted(path.name for path in run.path.iterdir()) == ["recipe.toml", "run.json"]


def test_a_writer_that_was_killed_is_in_nobodys_way(tmp_path):
    run = create(tmp_path)
    process = python(HOLD, run.path)
    assert process.stdout.readline() == "held\n"
    assert f"process {process.pid} on" in refused(run)
    assert run.status == "running"
    process.kill()
    process.wait()
    assert run.status == "killed"
    said: list[str] = []
    with run.lock(said.append):
        pass
    assert said == []
    process.communicate()


@pytest.mark.parametrize("flock", [always, never])
def test_where_the_locks_are_worth_nothing_the_lease_holds_alone(tmp_path, monkeypatch, flock):
    run = create(tmp_path)
    locks(monkeypatch, flock)
    process = python(HOLD, run.path)
    assert process.stdout.readline() == "held\n"
    refused(run)
    left(run, lease.read(run.path).owner, minutes=60)  # a process of this machine that lives has it all the same
    refused(run)
    process.kill()
    process.communicate()
    with run.lock():
        refused(run)
    with run.lock():
        pass


@pytest.mark.usefixtures("network_disk")
@pytest.mark.parametrize("hours", [-1, 1])
def test_the_clock_of_this_machine_has_no_say(tmp_path, monkeypatch, hours):
    run, now = create(tmp_path), time.time
    monkeypatch.setattr(time, "time", lambda: now() + 3600 * hours)
    monkeypatch.setattr(time, "time_ns", lambda: int(1e9 * (now() + 3600 * hours)))
    left(run, another(), minutes=9)
    assert "process 4711 on elsewhere" in refused(run)
    assert "10 minutes after its last sign of life the run is free" in refused(run)
    assert run.status == "running"
    said: list[str] = []
    left(run, another(), minutes=11)
    assert run.status == "killed"
    with run.lock(said.append):
        pass
    (line,) = said
    assert line.startswith(f"{run.path}: taken over from process 4711 on elsewhere, since ")
    assert line.endswith(": not heard of for 11 minutes")


HOST = """
import errno, sys, time
from dcp.errors import RunError
from dcp.runs import lease, owner, taking
from dcp.runs.run import Run

folder, hours, kind = sys.argv[1], float(sys.argv[2]), sys.argv[3]
now = time.time
time.time = lambda: now() + 3600 * hours
time.time_ns = lambda: int(1e9 * time.time())
owner._boot, owner._host, owner._namespace = (lambda: "its own"), (lambda: "elsewhere"), (lambda: "pid:[1]")
lease.is_local = taking.is_local = lambda folder: False
import fcntl

def flock(opened, what):
    if kind == "never":
        raise OSError(errno.ENOSYS, "Function not implemented")

fcntl.flock = flock
run = Run.open(folder)
with run.lock():
    run.append({"step": 0})
    print("held", flush=True)
    sys.stdin.readline()
    try:
        run.append({"step": 1})
    except RunError as error:
        print(error.slug, flush=True)
    try:
        run.write("encoder.safetensors", b"")
    except RunError as error:
        print(error.slug, flush=True)
"""


@pytest.mark.usefixtures("network_disk")
@pytest.mark.parametrize(("kind", "flock"), [("always", always), ("never", never)])
@pytest.mark.parametrize("hours", [-1, 0, 1])
def test_of_two_machines_one_writes_whatever_their_locks_and_clocks_say(tmp_path, monkeypatch, hours, kind, flock):
    run = create(tmp_path)
    locks(monkeypatch, flock)
    process = python(HOST, run.path, hours, kind)
    assert process.stdout.readline() == "held\n"
    assert " on elsewhere, since " in refused(run)
    path = run.path / lease.FILE
    os.utime(path, (path.stat().st_mtime - 60 * 9,) * 2)
    refused(run)
    os.utime(path, (path.stat().st_mtime - 60 * 2,) * 2)  # it was halted, or cut off, for eleven minutes
    said: list[str] = []
    with run.lock(said.append):
        assert "not heard of for 11 minutes" in said[0]
        run.append({"step": 7})
        out, _ = process.communicate("go on\n", timeout=60)
        assert out.split() == ["lease-lost", "lease-lost"]
        run.append({"step": 8})
    assert [line["step"] for line in run.metrics()] == [0, 7, 8]
    assert not (run.path / "encoder.safetensors").exists()


@pytest.mark.usefixtures("network_disk")
def test_a_lease_from_the_future_is_of_a_clock_that_was_set_back(tmp_path):
    run = create(tmp_path)
    left(run, another(), minutes=-60)
    with run.lock():
        pass


def test_on_a_disk_of_this_machine_a_lease_from_before_a_power_cut_holds_nobody_up(tmp_path, monkeypatch):
    run = create(tmp_path)
    monkeypatch.setattr(taking, "is_local", lambda folder: True)
    left(run, another(host=Owner.me().host))
    with run.lock():
        pass
    left(run, another(host=Owner.me().host))
    locks(monkeypatch, never)
    refused(run)  # nothing proves that its owner is gone


def test_a_lease_of_another_machine_counts_on_a_disk_of_this_one_which_may_be_exported(tmp_path, monkeypatch):
    run = create(tmp_path)
    for module in (lease, taking):
        monkeypatch.setattr(module, "is_local", lambda folder: True)
    left(run, another())
    assert run.status == "running"
    assert "process 4711 on elsewhere" in refused(run)
    (run.path / lease.FILE).write_bytes(b"")  # it is being written
    assert run.status == "running"
    refused(run)
    left(run, another(), minutes=11)
    assert run.status == "killed"
    with run.lock():
        pass


@pytest.mark.usefixtures("network_disk")
def test_a_look_leaves_the_folder_as_it_is(tmp_path):
    run = create(tmp_path)
    left(run, another())
    before = run.path.stat().st_mtime_ns
    assert run.status == "running"
    assert run.path.stat().st_mtime_ns == before


@pytest.mark.usefixtures("network_disk")
def test_where_nothing_may_be_written_a_run_is_not_called_killed_before_its_lease_is_a_day_old(tmp_path, monkeypatch):
    run = create(tmp_path)

    def refuse(folder: Path) -> int:
        raise PermissionError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(lease, "now_ns", refuse)
    left(run, another(), minutes=11)
    assert run.status == "running"
    left(run, another(), minutes=25 * 60)
    assert run.status == "killed"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE])
def test_a_run_whose_lease_cannot_be_read_is_not_called_killed(tmp_path, monkeypatch, number):
    run = create(tmp_path)

    def refuse(path: Path, mode: str) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(lease, "open_file", refuse)
    assert run.status == "running"


def test_a_process_that_proc_hides_lives(monkeypatch):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    me = Owner.me()
    said = owner._said
    monkeypatch.setattr(owner, "_said", lambda path: "" if path.endswith("/stat") else said(path))
    assert me.model_copy(update={"pid": os.getppid()}).lives()  # ours
    assert not me.model_copy(update={"pid": ended.pid}).lives()

    def refuse(pid: int, number: int) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "kill", refuse)
    assert me.model_copy(update={"pid": os.getppid()}).lives()  # somebody else's


def test_a_container_of_this_machine_is_known_to_be_gone_by_its_lock(tmp_path, monkeypatch):
    run = create(tmp_path)
    monkeypatch.setattr(taking, "is_local", lambda folder: False)
    left(run, Owner.me().model_copy(update={"namespace": "pid:[1]", "pid": 1, "token": "0" * 32}))
    with run.lock():
        pass
    left(run, Owner.me().model_copy(update={"namespace": "pid:[1]", "pid": 1, "token": "0" * 32}))
    locks(monkeypatch, always)
    refused(run)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": -1}', b"\xff"])
@pytest.mark.usefixtures("network_disk")
def test_a_lease_that_cannot_be_read_counts_as_one_until_it_is_old(tmp_path, content):
    run = create(tmp_path)
    path = run.path / lease.FILE
    path.write_bytes(content)
    refused(run)
    os.utime(path, (0, 0))
    with run.lock():
        pass


def test_a_number_that_is_used_again_is_another_process(monkeypatch):
    me = Owner.me()
    assert me.is_here()
    assert me.lives()
    me.ends()
    assert not me.lives()
    parent = me.model_copy(update={"pid": os.getppid(), "born": ""})
    assert parent.lives()
    if me.born:
        assert not parent.model_copy(update={"born": f"{me.born}0"}).lives()
    monkeypatch.setattr(owner, "_boot", lambda: "another")
    assert not me.is_here()


def test_a_lease_is_touched_as_long_as_it_is_held(tmp_path, monkeypatch):
    run = create(tmp_path)
    monkeypatch.setattr(lease, "TOUCHED_EVERY_S", 0.01)
    with run.lock():
        path = run.path / lease.FILE
        os.utime(path, (0, 0))
        data, until = path.read_bytes(), time.monotonic() + 10
        while path.stat().st_mtime == 0 and time.monotonic() < until:
            time.sleep(0.01)
        assert path.stat().st_mtime > 0
        assert path.read_bytes() == data
        other = another()
        path.write_bytes(other.data())
        os.utime(path, (0, 0))
        time.sleep(0.1)
        assert (path.stat().st_mtime, path.read_bytes()) == (0, other.data())  # nobody touches another's
    assert path.exists()
    assert not [thread for thread in threading.enumerate() if thread.name == "lease"]


STORM = """
import multiprocessing, os, sys, time
from pathlib import Path
from dcp.errors import RunBusy
from dcp.runs import lease, locking, taking
from dcp.runs.owner import Owner
if sys.argv[2] == "no locks":
    locking._flock = lambda opened: None
lease.is_local = taking.is_local = lambda folder: False
same = taking._same

def slowly(*found):
    answer = same(*found)
    time.sleep(0.01)
    return answer

taking._same = slowly
folder, rounds, count = Path(sys.argv[1]), 25, 8
context = multiprocessing.get_context("fork")
barrier, wins = context.Barrier(count), context.Array("i", rounds)

def one(number):
    for round in range(rounds):
        if number == 0 and round % 3:  # every third time there is no lease at all
            (folder / lease.FILE).write_bytes(Owner.me().model_copy(update={"boot": str(round)}).data())
            os.utime(folder / lease.FILE, (0, 0))
        barrier.wait(20)
        try:
            with locking.locked(folder, lambda text: None) as held:
                with wins.get_lock():
                    wins[round] += 1
                barrier.wait(20)
                held.verify()
        except RunBusy:
            barrier.wait(20)
        barrier.wait(20)

processes = [context.Process(target=one, args=(number,)) for number in range(count)]
for process in processes:
    process.start()
for process in processes:
    process.join(60)
print([process.exitcode for process in processes], list(wins))
"""


@pytest.mark.parametrize("what", ["no locks", "locks"])
def test_of_eight_that_take_one_lease_at_once_exactly_one_gets_it(tmp_path, what):
    out, _ = python(STORM, tmp_path, what).communicate(timeout=120)
    assert out.strip() == f"{[0] * 8} {[1] * 25}"
    assert list(tmp_path.iterdir()) == []


STARTS = """
import multiprocessing, sys
from pathlib import Path
from dcp.errors import DcpError
from dcp.runs.run import Run
context = multiprocessing.get_context("fork")
barrier, said = context.Barrier(8), context.Queue()

def start(root):
    barrier.wait(20)
    try:
        run = Run.create(root, "tiny", 0, "", {}, held=True)
        with run.lock():
            run.append({"step": 0})
            said.put("trained")
            barrier.wait(20)
    except DcpError as error:
        said.put(error.slug)
        barrier.wait(20)

for round in range(10):
    processes = [context.Process(target=start, args=(Path(sys.argv[1], str(round)),)) for _ in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    print(*sorted(said.get() for _ in processes))
"""


def test_of_eight_that_start_one_run_at_once_seven_hear_that_another_trains_it(tmp_path):
    out, _ = python(STARTS, tmp_path).communicate(timeout=120)
    assert out.splitlines() == [" ".join(["run-busy"] * 7 + ["trained"])] * 10


def test_a_lock_does_not_live_on_in_a_forked_child_of_a_writer_that_was_killed(tmp_path):
    run = create(tmp_path)
    code = """
import os, sys, time
from dcp.runs.run import Run
with Run.open(sys.argv[1]).lock():
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.close(1)
        os.write(writing, b".")
        time.sleep(20)
    os.read(reading, 1)
    print("held", flush=True)
    time.sleep(20)
"""
    process = python(code, run.path)
    assert process.stdout.readline() == "held\n"
    process.kill()
    process.wait()
    with run.lock():
        pass
    process.communicate()


def test_a_folder_that_may_not_be_written_to_is_said_before_anything_is_done(tmp_path, monkeypatch):
    run = create(tmp_path)

    def refuse(path: Path, flags: int) -> int:
        if flags & os.O_CREAT:
            raise PermissionError(errno.EACCES, "Permission denied")
        return own_files.descriptor(path, flags)

    monkeypatch.setattr(locking, "descriptor", refuse)
    with pytest.raises(RunError, match=r"cannot-write.*Permission denied"), run.lock():
        pass
    (run.path / locking.FILE).touch()  # another user's
    with run.lock():
        refused(run)


# what the run of a process is, and that it stays so


def test_a_folder_that_was_renamed_and_begun_again_is_not_written_to_by_its_first_writer(tmp_path):
    run = create(tmp_path)
    with run.lock():
        run.append({"step": 0})
        run.path.rename(tmp_path / "old")
        new = create(tmp_path)
        with new.lock():
            before = {path.name: path.read_bytes() for path in new.path.iterdir()}
            for write in (
                lambda: run.append({"step": 1}),
                lambda: run.update(status="done"),
                lambda: run.end(status="failed"),
                lambda: run.write("encoder.safetensors", b""),
                lambda: run.write_probe("knn", {"score": {}}),
            ):
                with pytest.raises(RunError, match=r"error\[run-moved\]: the folder at this path is no longer"):
                    write()
            assert {path.name: path.read_bytes() for path in new.path.iterdir()} == before
    assert sorted(path.name for path in new.path.iterdir()) == ["recipe.toml", "run.json"]
    with Run.open(tmp_path / "old").lock():
        pass


def test_a_folder_that_was_moved_away_is_not_made_again(tmp_path):
    run = create(tmp_path)
    with run.lock():
        run.path.rename(tmp_path / "old")
        with pytest.raises(RunError, match="run-moved"):
            run.append({"step": 1})
        assert not run.path.exists()
        (tmp_path / "old").rename(run.path)
        run.append({"step": 1})  # it is back, and still ours


def test_a_lease_that_was_lost_ends_the_writing(tmp_path):
    run = create(tmp_path)
    with run.lock():
        (run.path / lease.FILE).unlink()
        with pytest.raises(RunError, match=r"lease-lost.*the run's lease \(.lease\) was removed"):
            run.append({"step": 1})
        left(run, another())
        with pytest.raises(RunError, match=r"lease-lost.*taken the run over: process 4711 on elsewhere"):
            run.write("x.json", b"")
        assert not (run.path / "metrics.jsonl").exists()
    assert json.loads((run.path / lease.FILE).read_bytes())["host"] == "elsewhere"  # another's is left alone


def test_a_lease_that_is_lost_while_a_file_is_written_keeps_the_old_one(tmp_path, monkeypatch):
    run = create(tmp_path)
    run.write("x.json", b"old")
    with run.lock():
        monkeypatch.setattr(held_folder, "open_file", lambda path, mode: left(run, another()) or open_file(path, mode))
        with pytest.raises(RunError, match="lease-lost"):
            run.write("x.json", b"new")
    assert (run.path / "x.json").read_bytes() == b"old"


def test_a_disk_that_gives_files_other_numbers_now_and_then_is_no_other_folder(tmp_path, monkeypatch):
    run, count = create(tmp_path), iter(range(10**9))
    with run.lock():
        monkeypatch.setattr(lease, "_identity", lambda path: (0, next(count)))
        run.append({"step": 1})
        run.update(status="done")
    assert run.record.status == "done"


def test_a_new_run_is_its_makers_from_the_first_moment(tmp_path):
    run = Run.create(tmp_path, "tiny", 0, "[run]\n", {}, held=True)
    with pytest.raises(RunBusy):
        create(tmp_path)
    refused(run)
    with run.lock():
        run.update(status="done")
    with run.lock():
        pass
    assert sorted(path.name for path in run.path.iterdir()) == ["recipe.toml", "run.json"]


def test_the_file_of_the_lock_is_looked_at_again_when_it_is_locked(tmp_path, monkeypatch):
    run, real, removed = create(tmp_path), locking._flock, []

    def flock(opened: int) -> bool | None:
        if not removed:  # its owner ended between our opening and our locking it
            removed.append((run.path / locking.FILE).unlink())
        return real(opened)

    monkeypatch.setattr(locking, "_flock", flock)
    with run.lock():
        assert os.path.samestat((run.path / locking.FILE).stat(), os.fstat(next(iter(locking._open))))


def test_a_signal_while_the_lease_is_made_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, write = create(tmp_path), os.write

    def interrupted(opened: int, data: bytes) -> int:
        signal.raise_signal(signal.SIGINT)
        return write(opened, data)

    monkeypatch.setattr(taking.os, "write", interrupted)
    with pytest.raises(KeyboardInterrupt), run.lock():
        pytest.fail("the signal was lost")
    assert not (run.path / lease.FILE).exists()
