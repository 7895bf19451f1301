"""The barrier: how long processes wait for each other, and what they say meanwhile."""

import itertools
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from torch.distributed import TCPStore

from dcp.hardware import barrier

LATE = """
import time
from datetime import timedelta
import torch
from torch.distributed.distributed_c10d import _get_default_group
from dcp.hardware.processes import Process
from dcp.training.sources import _in_turn
process = Process("cpu")
_get_default_group()._get_backend(torch.device("cpu"))._set_default_timeout(timedelta(seconds=1))
order = _in_turn(lambda: time.sleep(0 if process.rank else 4) or time.time(), process, makes=True)
process.wait()
print(process.rank, order)
"""


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def test_the_first_process_may_take_longer_than_a_collective_waits_and_comes_before_the_others(port: int) -> None:
    world = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    command, pipe = [sys.executable, "-c", LATE], subprocess.PIPE
    both = [
        subprocess.Popen(command, env={**world, "RANK": rank, "LOCAL_RANK": rank}, stdout=pipe, stderr=pipe, text=True)
        for rank in "01"
    ]
    said = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    first, second = (float(out.split()[1]) for out, _ in said)
    assert first < second


def test_nobody_passes_before_all_have_come_and_who_waits_says_for_whom(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(barrier, "SAID_AFTER_S", 0.3)
    monkeypatch.setattr(barrier, "_numbers", itertools.repeat(0))  # the threads are processes here
    store = TCPStore("127.0.0.1", port, 3, True, timedelta(seconds=30), False)
    said: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(barrier.wait, store.clone(), rank, 3, said.append) for rank in (0, 2)]
        time.sleep(1.5)
        assert not any(each.done() for each in waiting)
        barrier.wait(store.clone(), 1, 3, said.append)
        for each in waiting:
            each.result(10)
    assert said
    assert all(text.startswith("still waiting for process 1 of 3, for ") for text in said)
    assert len(said) <= 2 * 3  # after 0.3, 0.6 and 1.2 s
