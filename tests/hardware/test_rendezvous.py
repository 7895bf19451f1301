"""Processes that look for each other: what the environment may say of them, and how long they wait."""

import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from torch.distributed import TCPStore

from dcp.errors import DcpError, RequestError, RunError
from dcp.hardware import rendezvous
from dcp.hardware.rendezvous import OTHER_SIZES, VARIABLES, World

WHOLE = {"RANK": "1", "LOCAL_RANK": "0", "WORLD_SIZE": "4", "MASTER_ADDR": "there", "MASTER_PORT": "29500"}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that says nothing of other processes."""
    for name in (
        *VARIABLES,
        *OTHER_SIZES,
        rendezvous.WAIT,
        rendezvous.SILENT,
        "LOCAL_WORLD_SIZE",
        "TORCHELASTIC_USE_AGENT_STORE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(rendezvous, "SAID_AFTER_S", 0.2)


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({name: None}, [name, "WORLD_SIZE is 4"]) for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
    ] + [
        ({"RANK": None, "LOCAL_RANK": None, "MASTER_ADDR": None, "MASTER_PORT": None}, ["are not set", "torchrun"]),
        ({"RANK": "x"}, ["RANK is x", "0 to 3"]),
        ({"RANK": "4"}, ["RANK is 4", "0 to 3"]),
        ({"RANK": "-1"}, ["RANK is -1"]),
        ({"LOCAL_RANK": "1.5"}, ["LOCAL_RANK is 1.5"]),
        ({"WORLD_SIZE": "two"}, ["WORLD_SIZE is two"]),
        ({"WORLD_SIZE": "0"}, ["WORLD_SIZE is 0"]),
        ({"MASTER_PORT": "99999"}, ["MASTER_PORT is 99999"]),
        ({rendezvous.WAIT: "soon"}, ["DCP_WAIT_S is soon"]),
        ({rendezvous.SILENT: "-1"}, ["DCP_SILENT_S is -1"]),
        *(({**dict.fromkeys(WHOLE), name: "2"}, [f"{name} is 2", "--processes"]) for name in OTHER_SIZES),
        ({**dict.fromkeys(WHOLE), "PMI_SIZE": "x"}, ["PMI_SIZE is x"]),
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_or_incomplete_environment_is_refused_with_the_variable_and_the_way_out(
    changed: dict[str, str | None], words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**WHOLE, **changed}.items():
        if value is not None:
            monkeypatch.setenv(name, value)
    with pytest.raises(RequestError) as caught:
        rendezvous.world()
    assert caught.value.slug == "bad-environment"
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "said", [{}, {"RANK": "3"}, {"LOCAL_RANK": "x"}, {"WORLD_SIZE": "1", "PMI_SIZE": "1"}], ids=str
)
def test_a_process_that_nobody_says_has_others_is_alone(said: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    assert rendezvous.world() == World()


def test_a_whole_environment_places_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**WHOLE, rendezvous.WAIT: "7.5"}.items():
        monkeypatch.setenv(name, value)
    assert rendezvous.world() == World(1, 0, 4, "there", 29500, 7.5)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    monkeypatch.setenv(rendezvous.SILENT, "90")
    assert rendezvous.world() == World(1, 0, 4, "there", 29500, 7.5, 90.0, local=True)


def joined(
    rank: int, port: int, count: int = 2, wait_s: float = 0.6, local: bool = False
) -> tuple[DcpError, list[str]]:
    """What a process is told that joins in vain, and what it says before."""
    said: list[str] = []
    with pytest.raises(DcpError) as caught:
        rendezvous.join(World(rank, 0, count, "127.0.0.1", port, wait_s, local=local), "cpu", said.append)
    return caught.value, said


def test_who_waits_for_others_says_for_whom_and_gives_up(port: int) -> None:
    began = time.monotonic()
    error, said = joined(0, port, count=3)
    assert time.monotonic() - began < 20
    assert said == [f"waiting at 127.0.0.1:{port}, 1 s at most, for 2 other processes (rank 1, 2)"]
    assert (type(error), error.slug) == (RunError, "no-group")
    assert "2 other processes (rank 1, 2)" in error.message
    assert rendezvous.WAIT in error.hint


def test_who_waits_for_the_first_process_says_so_and_why_and_gives_up(port: int) -> None:
    error, said = joined(1, port)
    assert said == [f"waiting at 127.0.0.1:{port}, 1 s at most, for process 0: Connection refused"]
    assert (type(error), error.slug) == (RunError, "no-group")


def test_what_else_listens_there_is_not_waited_for_for_ever(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendezvous, "TCPStore", lambda *_, **__: time.sleep(60))  # as torch's where nobody answers
    with socket.create_server(("127.0.0.1", port)):
        error, _ = joined(1, port)
        assert "something else answers there" in str(error)
        taken, _ = joined(0, port)
        assert (taken.slug, taken.where) == ("bad-environment", "MASTER_PORT")


def test_two_processes_of_the_same_rank_are_refused(port: int) -> None:
    store = TCPStore("127.0.0.1", port, 3, True, timedelta(seconds=30), False)
    store.add("dcp/1", 1)
    error, _ = joined(1, port, count=3)
    assert isinstance(error, RequestError)
    assert "two processes have the rank 1" in str(error)


def test_processes_are_not_started_together_where_they_cannot_be(port: int) -> None:
    with pytest.raises(RequestError, match="no-device"):
        rendezvous.join(World(0, 0, 2, "127.0.0.1", port), "mps", lambda text: None)


@pytest.mark.parametrize("stage", ["group", "lifeline"])
def test_who_was_here_and_does_not_connect_is_waited_for_aloud_and_given_up(
    stage: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if stage == "lifeline":
        monkeypatch.setattr(rendezvous, "_group", lambda *_: None)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(joined, 0, port, wait_s=3.0, local=stage == "group")
        announced(1, port)
        began = time.monotonic()
        error, said = first.result(60)
    assert time.monotonic() - began < 20
    assert len(said) == 1
    assert "connections to the other processes, which are all here" in said[0]
    assert (type(error), error.slug) == (RunError, "no-group")
    assert "on any port" in error.hint


def announced(rank: int, port: int) -> None:
    """A process says that it is here, and is gone."""
    while rendezvous._unreachable(lambda: socket.create_connection(("127.0.0.1", port), timeout=1)):
        time.sleep(0.05)
    TCPStore("127.0.0.1", port, 2, False, timedelta(seconds=30), False).add(f"dcp/{rank}", 1)


def test_who_waits_for_connections_hears_control_c(port: int) -> None:
    world = f"World(0, 0, 2, '127.0.0.1', {port}, local=True)"
    code = f"from dcp.hardware import rendezvous as r; r.SAID_AFTER_S = 0.2; r.join(r.{world}, 'cpu', print)"
    command = [sys.executable, "-u", "-c", code]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            announced(1, port)
            assert process.stdout is not None
            while "which are all here" not in (line := process.stdout.readline()):
                assert line, process.stderr.read()
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGINT
    assert errors.strip().endswith("KeyboardInterrupt")


WORKER = """
import os, sys, time
from datetime import timedelta
from pathlib import Path
import torch
import torch.distributed as dist
from dcp.hardware import rendezvous
rendezvous.join(world := rendezvous.world(), "cpu", print)
folder, attempt = Path(sys.argv[1]), os.environ["TORCHELASTIC_RESTART_COUNT"]
if not (died := folder / "died").exists():
    if world.rank == 1:
        died.touch()
        os._exit(3)
    time.sleep(100)  # until the agent notices
dist.all_reduce(x := torch.ones(1))
options = dist.group.WORLD._get_backend(torch.device("cpu")).options
(folder / f"{world.rank}.txt").write_text(f"{attempt} {x.item()} {options._timeout}")
dist.destroy_process_group()
"""
STATIC = ("--nproc-per-node", "2", "--master-addr", "127.0.0.1", "--master-port")
ELASTIC = ("--rdzv-backend", "c10d", "--rdzv-id", "dcp", "--rdzv-endpoint")


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["static", "elastic", "elastic on two machines"])
def test_processes_that_torchrun_starts_anew_meet_again(launcher: str, port: int, tmp_path: Path) -> None:
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    words = {
        "static": (*STATIC, str(port)),
        "elastic": ("--nproc-per-node", "2", *ELASTIC, f"127.0.0.1:{port}"),
        "elastic on two machines": ("--nnodes", "2", "--nproc-per-node", "1", *ELASTIC, f"127.0.0.1:{port}"),
    }[launcher]
    command = [sys.executable, "-m", "torch.distributed.run", "--max-restarts", "1", *words, script, tmp_path]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", rendezvous.WAIT: "40"}
    agents = [
        subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        for _ in range(2 if "two" in launcher else 1)
    ]
    try:
        for agent in agents:
            _, errors = agent.communicate(timeout=120)
            assert agent.returncode == 0, errors
    finally:
        for agent in agents:
            agent.terminate()  # which ends its processes
    attempts, sums, timeouts = zip(*((tmp_path / f"{rank}.txt").read_text().split() for rank in (0, 1)), strict=True)
    assert sums == ("2.0", "2.0")
    assert timeouts == ("0:30:00", "0:30:00")  # that of collectives is torch's, and not what is left of the wait
    # one agent sees its process fail; the other stops its own, uncounted, unless the lifeline has ended that one before
    assert sorted(attempts) in ((["0", "1"], ["1", "1"]) if "two" in launcher else (["1", "1"],))
