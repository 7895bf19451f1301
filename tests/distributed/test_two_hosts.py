"""One training on two machines: two network namespaces with a cable between them, torchrun on each."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from dcp.cli import app
from dcp.runs.run import Run

WORDS = ("pretrain", "tiny/group_norm", "train.batch=64", "train.log_every=1", "probe.after=[]", "data.limit=256")
WORDS += ("train.precision=fp32", "--device", "cpu", "--runs")
LONG = "train.epochs=2000"
SILENT_S = 6  # instead of 30
FILES = ("recipe.toml", "run.json")
pytestmark = pytest.mark.timeout(280)


class Hosts:
    """Two machines that see the same disk."""

    def __init__(self) -> None:
        self.names = [f"dcp{os.getpid()}{letter}" for letter in "ab"]
        self.cables = [name[-10:] for name in self.names]
        self.addresses = ["10.231.17.1", "10.231.17.2"]
        self.jobs: list[subprocess.Popen[str]] = []

    def ip(self, *words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True)

    def build(self) -> None:
        for name in self.names:
            self.ip("netns", "add", name)
        first, second = self.cables
        self.ip("link", "add", first, "type", "veth", "peer", "name", second)
        for name, cable, address in zip(self.names, self.cables, self.addresses, strict=True):
            self.ip("link", "set", cable, "netns", name)
            self.ip("-n", name, "address", "add", f"{address}/24", "dev", cable)
            for device in (cable, "lo"):
                self.ip("-n", name, "link", "set", device, "up")

    def cut(self) -> None:
        """Pull the cable."""
        self.ip("-n", self.names[0], "link", "set", self.cables[0], "down")

    def start(self, number: int, *words: str) -> "subprocess.Popen[str]":
        """Python on one of them, in a group of processes of its own."""
        environment = {**os.environ, "GLOO_SOCKET_IFNAME": self.cables[number], "DCP_SILENT_S": str(SILENT_S)}
        command = ["ip", "netns", "exec", self.names[number], sys.executable, *words]
        pipe = subprocess.PIPE
        job = subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
        self.jobs.append(job)
        return job

    def torchrun(self, *words: str) -> "list[subprocess.Popen[str]]":
        """The same dcp on both, as torchrun starts it."""
        where = ("--master-addr", self.addresses[0], "--master-port", "29511")
        launcher = ("-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1", *where)
        return [self.start(rank, *launcher, "--node-rank", str(rank), "-m", "dcp", *words) for rank in (0, 1)]

    def kill(self, number: int) -> None:
        """A machine dies: no process of it says goodbye."""
        self.cut()
        self.send(number, signal.SIGKILL)

    def send(self, number: int, what: int) -> None:
        """A signal to every process of a machine."""
        command = ["ip", "netns", "pids", self.names[number]]
        for pid in subprocess.run(command, capture_output=True, text=True, check=False).stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), what)

    def close(self) -> None:
        for number, name in enumerate(self.names):
            self.send(number, signal.SIGKILL)
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)
        for job in self.jobs:
            job.communicate()


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    pair = Hosts()
    try:
        pair.build()
    except (OSError, subprocess.CalledProcessError) as error:
        pair.close()
        pytest.skip(f"no network namespaces here: {getattr(error, 'stderr', None) or error}")
    yield pair
    pair.close()


def training(hosts: Hosts, runs: Path, *words: str) -> Run:
    """Two hosts at a long training, as far as its first checkpoint and some steps."""
    hosts.torchrun(*WORDS, str(runs), LONG, "train.save_every=5", *words)
    path, until = runs / "group_norm-s0", time.monotonic() + 120
    while not (path / "checkpoint/state.safetensors").exists():
        assert time.monotonic() < until
        assert all(job.poll() is None for job in hosts.jobs), [job.communicate() for job in hosts.jobs]
        time.sleep(0.1)
    return Run.open(path)


def test_two_hosts_give_the_losses_of_one_process(hosts: Hosts, tmp_path: Path) -> None:
    for job in hosts.torchrun(*WORDS, str(tmp_path / "two"), "train.epochs=3"):
        out, err = job.communicate(timeout=200)
        assert job.returncode == 0, out + err
    assert app.run([*WORDS, str(tmp_path / "one"), "train.epochs=3"]) == 0
    runs = [Run.open(tmp_path / name / "group_norm-s0") for name in ("two", "one")]
    assert [run.record.processes for run in runs] == [2, 1]
    losses = [torch.tensor([line["loss"] for line in run.metrics("step")]) for run in runs]
    assert len(losses[0]) == 12
    torch.testing.assert_close(*losses, atol=1e-5, rtol=0)


def until_step(step: int, job: "subprocess.Popen[str]", run: Path) -> None:
    """Wait until a training has noted this step."""
    until = time.monotonic() + 120
    while not (run / "metrics.jsonl").exists() or losses(run).keys().isdisjoint({step}):
        assert job.poll() is None, job.communicate()
        assert time.monotonic() < until
        time.sleep(0.1)


def losses(run: Path) -> dict[int, float]:
    return {line["step"]: line["loss"] for line in Run.open(run).metrics("step")}


def alone(runs: Path, step: int) -> dict[int, float]:
    """The losses of one process that begins or goes on, up to this step."""
    command = [sys.executable, "-m", "dcp", *WORDS, str(runs), LONG, "--resume"]
    job = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until_step(step, job, runs / "group_norm-s0")
    job.terminate()
    job.communicate(timeout=60)
    assert job.returncode == 143
    return losses(runs / "group_norm-s0")


@pytest.mark.parametrize("what", ["the cable is cut", "the second dies", "the first dies"])
def test_when_a_host_is_lost_the_other_ends_with_a_message_and_the_run_goes_on_on_one(
    hosts: Hosts, tmp_path: Path, what: str
) -> None:
    run = training(hosts, tmp_path)
    lost = {"the cable is cut": None, "the second dies": 1, "the first dies": 0}[what]
    if lost is None:
        hosts.cut()
    else:
        hosts.kill(lost)
    began = time.monotonic()
    for rank in {0, 1} - {lost}:
        out, err = hosts.jobs[rank].communicate(timeout=60)
        assert hosts.jobs[rank].returncode == 1, out + err
        assert f"error[process-lost]: process {1 - rank} (on {os.uname().nodename}) does not answer" in err
        assert "--resume" in err
    assert time.monotonic() - began < 60 - (30 - SILENT_S)  # so that it is a minute with the usual 30 s
    record = Run.open(run.path).record
    assert (record.status, record.error) == ("failed", "process-lost")
    if lost != 0:  # whose lease it is
        # what the other process said on its way may come too late for this one: whoever takes the run next sweeps it
        here = [path.name for path in run.path.iterdir() if not path.name.startswith(".reason.json.")]
        assert sorted(here) == [*("checkpoint", "metrics.jsonl"), *FILES]
    last = max(losses(run.path)) + 10
    together, one = alone(tmp_path, last), alone(tmp_path / "alone", last)
    assert {step: together[step] for step in range(last)} == pytest.approx({s: one[s] for s in range(last)}, abs=1e-3)
    assert [sitting["processes"] for sitting in Run.open(run.path).record.sittings] == [2, 1]
    assert not list(run.path.glob(".reason.json.*"))


def test_a_process_that_is_halted_for_long_is_not_lost(hosts: Hosts, tmp_path: Path) -> None:
    run = training(hosts, tmp_path)
    hosts.send(1, signal.SIGSTOP)
    time.sleep(SILENT_S + 12)
    hosts.send(1, signal.SIGCONT)
    before, until = len(Run.open(run.path).metrics("step")), time.monotonic() + 60
    while len(Run.open(run.path).metrics("step")) < before + 10 and time.monotonic() < until:
        assert all(job.poll() is None for job in hosts.jobs)
        time.sleep(0.2)
    assert Run.open(run.path).status == "running"
