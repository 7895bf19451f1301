"""Processes that read image files: what they give, and what is said when one ends, hangs or is left alone."""

import contextlib
import fcntl
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from pickle import loads

import pytest
import torch
from torch import Tensor

from dcp.data import child, readers
from dcp.data.readers import Reader, decoded
from dcp.errors import RunError

linux = pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="looks into /proc")


class Numbers:
    """Stands for image files: image i of epoch e becomes [e, i]; some of them do something else."""

    shape, dtype = (2,), torch.uint8

    def __init__(self, odd: dict[int, Callable[[], object]] | None = None) -> None:
        self.odd, self.in_place = odd or {}, dict[int, int]()

    def place(self, image: int) -> str:
        return f"{image}.png"

    def read(self, epoch: int, image: int) -> Tensor:
        self.odd.get(image, lambda: None)()
        return torch.tensor([epoch, image % 256], dtype=torch.uint8)


def orders(*sizes: int) -> Iterator[Tensor]:
    """Batches of these sizes, in epoch 3."""
    for images in torch.arange(sum(sizes)).split(list(sizes)):
        yield torch.stack([torch.full_like(images, 3), images], dim=1)


def raising(error: Exception) -> Callable[[], object]:
    def fail() -> None:
        raise error

    return fail


def dying(number: int) -> Callable[[], object]:
    return lambda: os.kill(os.getpid(), number)


def hang() -> None:
    time.sleep(600)


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_batches_come_in_order_whatever_the_number_of_readers(count: int) -> None:
    sizes = (4, 4, 1, 4, 4, 2, 3)
    batches = list(decoded(Numbers(), orders(*sizes), most=4, readers=count))
    assert [len(batch) for batch in batches] == list(sizes)
    assert torch.equal(torch.cat(batches), torch.cat(list(orders(*sizes))).to(torch.uint8))


@pytest.mark.parametrize(
    ("odd", "slug", "words"),
    [
        (dying(signal.SIGKILL), "reader-ended", ["signal 9", "(5.png)", "memory ran out", "--resume"]),
        (dying(signal.SIGSEGV), "reader-ended", ["signal 11", "(5.png)", "replace the file", "--resume"]),
        (lambda: os._exit(3), "reader-ended", ["ended with code 3", "(5.png)"]),
        (hang, "reader-stalled", ["no image could be read", "(5.png)", "--resume"]),
        (dying(signal.SIGSTOP), "reader-stalled", ["no image could be read", "(5.png)"]),
        (raising(RunError("torn", slug="broken-image", where="5.png")), "broken-image", ["torn", "(5.png)"]),
    ],
    ids=["killed", "crashed", "exited", "hung", "stopped", "broken"],
)
def test_whatever_becomes_of_a_reader_is_said_with_the_file_and_the_way_out(
    odd: Callable[[], object], slug: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "STALLED_S", 0.6)
    batches = decoded(Numbers({5: odd}), orders(2, 2, 2, 2), most=2, readers=2)
    assert len([next(batches), next(batches)]) == 2
    with pytest.raises(RunError) as caught:
        next(batches)
    assert caught.value.slug == slug
    for word in words:
        assert word in str(caught.value)


def test_what_cannot_be_read_is_told_once_so_that_answers_stay_short(monkeypatch: pytest.MonkeyPatch) -> None:
    source, answers = Numbers(), list[int]()
    source.in_place.update({10**6 + i: i for i in range(10**5)})  # known before
    source.odd = {i: partial(source.in_place.setdefault, i, -i) for i in (1, 2, 5)}
    receive = Connection.recv_bytes
    monkeypatch.setattr(Connection, "recv", lambda pipe: loads(answers_of(receive(pipe), answers)))
    assert len(list(decoded(source, orders(2, 2, 2, 2), most=2, readers=2))) == 4
    assert {i: source.in_place[i] for i in (1, 2, 5)} == {1: -1, 2: -2, 5: -5}
    assert max(answers) < 200
    assert len(answers) == 4


def answers_of(data: bytes, sizes: list[int]) -> bytes:
    sizes.append(len(data))
    return data


def test_a_bug_in_a_reader_keeps_its_traceback() -> None:
    with pytest.raises(RuntimeError, match=r"test_readers.py(.|\n)*ZeroDivisionError"):
        next(decoded(Numbers({0: lambda: 1 / 0}), orders(1), most=1, readers=1))


def test_memory_that_runs_out_in_a_reader_is_told_as_that() -> None:
    with pytest.raises(MemoryError):
        next(decoded(Numbers({0: raising(MemoryError())}), orders(1), most=1, readers=1))


def test_who_is_to_stop_waits_no_longer_and_hears_for_how_long_nothing_was_read() -> None:
    heard: list[float] = []
    batches = decoded(
        Numbers({1: hang}), orders(1, 1), most=1, readers=1, stopped=lambda s: bool(heard.append(s) or len(heard) > 2)
    )
    assert len(list(batches)) == 1
    assert heard == pytest.approx([readers.POLL_S, 2 * readers.POLL_S, 3 * readers.POLL_S], abs=0.21)


def test_readers_end_with_the_batches_even_those_that_hang() -> None:
    batches = decoded(Numbers({1: hang}), orders(1, 1, 1), most=1, readers=2)
    next(batches)
    processes = [reader.process for reader in readers._open]
    assert len(processes) == 2
    batches.close()
    assert not any(process.is_alive() for process in processes)


@pytest.fixture
def unkillable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Readers that wait for a disk without end: they are killed when it answers, here at the end of the test."""
    before = set(multiprocessing.active_children())
    processes: list[BaseProcess] = []
    monkeypatch.setattr(BaseProcess, "kill", lambda process: processes.append(process))
    yield
    for process in {*processes} - before:
        os.kill(process.pid, signal.SIGKILL)
        os.waitpid(process.pid, 0)


@pytest.mark.usefixtures("unkillable")
@pytest.mark.timeout(20)
def test_a_reader_that_cannot_be_killed_holds_up_neither_who_is_to_stop_nor_who_gives_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    began = time.monotonic()
    batches = decoded(Numbers({1: hang}), orders(1, 1), most=1, readers=1, stopped=lambda s: True)
    assert len(list(batches)) <= 1
    monkeypatch.setattr(readers, "STALLED_S", 0.6)
    with pytest.raises(RunError, match="reader-stalled"):
        list(decoded(Numbers({1: hang}), orders(1, 1), most=1, readers=2))
    assert time.monotonic() - began < 10
    assert not readers._open
    assert not multiprocessing.active_children()  # for which Python would wait at its end


@pytest.mark.usefixtures("unkillable")
@pytest.mark.timeout(20)
def test_a_reader_that_falls_silent_and_lives_on_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(pipe: Connection, *_: object) -> None:
        child.let_go(besides=pipe.fileno())
        pipe.close()
        hang()

    monkeypatch.setattr(readers, "_serve", silent)
    has_ended = child.has_ended
    monkeypatch.setattr(child, "has_ended", lambda process, within_s: has_ended(process, within_s / 10))
    with pytest.raises(RunError, match="reader-ended"):
        list(decoded(Numbers(), orders(1), most=1, readers=1))


def test_signals_to_all_processes_of_a_job_are_left_to_the_one_that_trains() -> None:
    with contextlib.closing(Reader(Numbers(), 1)) as reader:
        for order in orders(1, 1):
            reader.ask(order)
            assert reader.take(pin=False, stopped=lambda s: False) is not None
            for name in child.DEAF_TO:
                os.kill(reader.process.pid, getattr(signal, name))
        assert reader.process.is_alive()


@linux
def test_no_room_in_dev_shm_is_needed() -> None:
    with contextlib.closing(Reader(Numbers(), 1000)) as reader:
        reader.ask(next(orders(1000)))
        assert reader.take(pin=False, stopped=lambda s: False) is not None
        mapped = Path(f"/proc/{reader.process.pid}/maps").read_text().splitlines()
    assert not [line for line in mapped if "/dev/shm" in line and "/dev/shm/sem." not in line]  # others' semaphores


@linux
def test_a_lock_of_the_parent_does_not_outlive_it_in_a_reader(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        reader = Reader(Numbers(), 1)
        reader.ask(next(orders(1)))
        reader.take(pin=False, stopped=lambda s: False)
    with contextlib.closing(reader), (tmp_path / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@linux
def test_a_reader_that_hangs_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_readers import *\n"
        "batches = decoded(Numbers({1: hang}), orders(1, 1), most=1, readers=1)\n"
        "next(batches)\n"
        "print(*[reader.process.pid for reader in readers._open], flush=True)\n"
        "next(batches)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    reader = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    until = time.monotonic() + 20
    while Path(f"/proc/{reader}/stat").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(f"/proc/{reader}/stat").exists()
    parent.stdout.close()
