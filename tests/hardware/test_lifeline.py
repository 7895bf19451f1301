"""Lifelines: what counts as the loss of a process, and what does not."""

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from torch.distributed import TCPStore

from dcp.errors import Interrupted
from dcp.hardware import lifeline
from dcp.hardware.lifeline import Lifeline, tied


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifeline, "GRACE_S", 0.3)


@pytest.fixture
def store() -> TCPStore:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return TCPStore("127.0.0.1", port, 3, True, timedelta(seconds=30), False)


@pytest.fixture
def three(store: TCPStore) -> Iterator[list[Lifeline]]:
    """Those of three processes."""

    def tie(rank: int) -> Lifeline:
        client = store.clone()  # a wait would keep the others from asking
        return tied(rank, 3, "127.0.0.1", client, silent_s=30, wait_s=20)

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(tie, 0)
        store.wait([lifeline.KEY], timedelta(seconds=20))
        with socket.create_connection(("127.0.0.1", int(store.get(lifeline.KEY).split()[0]))) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\n")
            all_ = [first, *(pool.submit(tie, rank) for rank in (1, 2))]
            lines = [each.result(30) for each in all_]
    yield lines
    for each in lines:
        ends(each)


def ends(process: Lifeline) -> None:
    """What the system does when a process is gone."""
    for line in process.lines:
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)


def within(seconds: float, what: Callable[[], object]) -> bool:
    until = time.monotonic() + seconds
    while not what() and time.monotonic() < until:
        time.sleep(0.02)
    return bool(what())


def test_a_process_that_ends_while_it_trains_is_lost_to_the_first_which_is_told_its_number(three) -> None:
    lost: list[str] = []
    with three[0].watched(lost.append), three[1].watched(lost.append), three[2].watched(lost.append):
        assert within(5, lambda: all(peer.begun for peer in three[0].peers))
        ends(three[2])
        assert within(10, lambda: lost)
        assert f"process 2 (on {socket.gethostname()}) has ended" in lost


def test_the_loss_of_the_first_ends_all_others(three) -> None:
    lost: list[str] = []
    with three[1].watched(lost.append), three[2].watched(lost.append):
        ends(three[0])
        assert within(10, lambda: len(lost) == 2)
    assert set(lost) == {f"process 0 (on {socket.gethostname()}) has ended"}


def test_who_comes_to_the_end_or_is_interrupted_may_go_while_the_first_still_saves(three) -> None:
    lost: list[str] = []
    with three[0].watched(lost.append):
        with three[1].watched(lost.append):
            pass
        with pytest.raises(Interrupted), three[2].watched(lost.append):
            raise Interrupted(143)
        assert within(5, lambda: all(peer.begun and peer.rests for peer in three[0].peers))
        ends(three[1])
        ends(three[2])
        assert not within(1, lambda: lost)
    with three[0].watched(lost.append):  # but not with the next training
        assert within(10, lambda: lost)


def test_who_fails_is_lost_and_who_watches_nobody_hears_of_nothing(three) -> None:
    lost: list[str] = []
    with pytest.raises(ValueError, match="it failed"), three[1].watched(lost.append):
        raise ValueError("it failed")
    ends(three[1])
    assert not within(1, lambda: lost)
    with three[0].watched(lost.append):
        assert within(10, lambda: lost)


def test_a_checkpoint_that_is_being_written_is_waited_for_and_who_ends_by_itself_is_not_ended(three) -> None:
    lost: list[str] = []
    with three[0].watched(lost.append):
        with three[0].saving:
            ends(three[1])
            assert not within(1.5, lambda: lost)
        assert within(10, lambda: lost)
    lost.clear()
    with three[2].watched(lost.append):
        ends(three[0])
        time.sleep(0.1)  # less than GRACE_S
    assert not within(1, lambda: lost)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other options")
def test_the_system_asks_whether_the_other_end_is_there(three) -> None:
    for process in three:
        for line in process.lines:
            assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            idle, every, times = (
                line.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
                for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
            )
            assert idle + every * times == 30
            assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000


def test_its_threads_keep_no_process_alive(three) -> None:
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "lifeline")


def test_strangers_who_say_nothing_or_a_letter_now_and_then_hold_nobody_up(store: TCPStore) -> None:
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(tied, 0, 2, "127.0.0.1", store.clone(), silent_s=30, wait_s=60)
        store.wait([lifeline.KEY], timedelta(seconds=20))
        address, met = ("127.0.0.1", int(store.get(lifeline.KEY).split()[0])), threading.Event()
        with socket.create_connection(address), socket.create_connection(address) as stranger:

            def drip() -> None:
                with contextlib.suppress(OSError):
                    while not met.wait(0.2):
                        stranger.sendall(b"x")

            dripping = pool.submit(drip)
            time.sleep(0.5)
            began = time.monotonic()
            try:
                second = tied(1, 2, "127.0.0.1", store.clone(), silent_s=30, wait_s=60)
                lines = [first.result(60), second]
            finally:
                met.set()
            assert time.monotonic() - began < lifeline.HELLO_S / 2
            dripping.result(10)
    for each in lines:
        ends(each)


def test_who_is_no_process_of_the_training_or_one_that_is_there_already_is_hung_up_on(store: TCPStore) -> None:
    with ThreadPoolExecutor(1) as pool, contextlib.ExitStack() as stack:
        first = pool.submit(tied, 0, 3, "127.0.0.1", store.clone(), silent_s=30, wait_s=20)
        store.wait([lifeline.KEY], timedelta(seconds=20))
        port, token, _ = store.get(lifeline.KEY).decode().split()

        def call(rank: int) -> socket.socket:
            line = stack.enter_context(socket.create_connection(("127.0.0.1", int(port)), timeout=10))
            line.sendall(f"{token} {rank} there\n".encode() + lifeline.TRAINS)
            return line

        call(2)
        time.sleep(0.5)
        for rank in (2, 0, 3, -1):
            with contextlib.suppress(ConnectionResetError):
                assert call(rank).recv(1) == b""
        call(1)
        met = first.result(20)
        assert sorted(peer.rank for peer in met.peers) == [1, 2]
        assert within(5, lambda: all(peer.begun == 1 for peer in met.peers))  # what followed the greeting is kept


def test_the_wait_for_the_others_ends_in_time_whoever_else_calls_and_says_who_is_missing(
    store: TCPStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadPoolExecutor(1) as pool:
        began = time.monotonic()
        first = pool.submit(tied, 0, 3, "127.0.0.1", store.clone(), silent_s=30, wait_s=1.5)
        store.wait([lifeline.KEY], timedelta(seconds=20))
        with socket.create_connection(("127.0.0.1", int(store.get(lifeline.KEY).split()[0]))):
            with pytest.raises(TimeoutError, match="process 1, 2 did not call"):
                first.result(60)
            assert time.monotonic() - began < 4
