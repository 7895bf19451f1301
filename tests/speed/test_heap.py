"""Memory stays with the process while networks compute, and goes back when they are done."""

import os
import platform
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from dcp import heap, views
from dcp.dataset import Dataset
from dcp.features import features
from dcp.recipe import Recipe
from dcp.training import Training

MiB = 2**20
BLOCK = 64 * MiB
glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the process's memory is not glibc's")


@pytest.fixture(autouse=True)
def untuned(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith(heap.TUNED)]:
        monkeypatch.delenv(name)
    heap._glibc.cache_clear()
    heap._holders.clear()
    yield
    heap._glibc.cache_clear()


def faults(times: int = 4, size: int = BLOCK) -> int:
    """Pages that the system had to hand out while a large block was taken, written and given back so often."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(times):
        torch.empty(size, dtype=torch.uint8).fill_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def settle(size: int = BLOCK) -> None:
    """Have the process own such a block; what is small is cut out of it at first, and threads take nine."""
    faults(32, size)


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@glibc
def test_a_block_that_comes_again_is_not_asked_of_the_system_again() -> None:
    given = faults()
    with heap.kept("cpu"):
        settle()
        kept = faults()
    assert kept < given / 10
    assert faults() > given / 2


@glibc
def test_memory_goes_back_at_the_end() -> None:
    with heap.kept("cpu"):
        settle()
        inside = resident()
    assert inside - resident() > BLOCK / 2


@glibc
def test_memory_is_kept_until_the_last_that_wanted_it_has_ended() -> None:
    with heap.kept("cpu"):
        settle()
        with heap.kept("cpu"):
            pass
        inner = faults()
    assert inner < faults() / 10


@glibc
def test_memory_goes_back_after_an_error_too() -> None:
    inside = 0
    try:
        with heap.kept("cpu"):
            settle()
            inside = resident()
            raise MemoryError
    except MemoryError:
        assert inside - resident() > BLOCK / 2


@glibc
def test_another_thread_keeps_what_fits_into_its_heaps() -> None:
    found = []

    def work() -> None:
        found.append(faults(size=BLOCK // 2 + MiB))
        with heap.kept("cpu"):
            settle(BLOCK // 2 + MiB)
            found.append(faults(size=BLOCK // 2 + MiB))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    given, kept = found
    assert kept < given / 10


@glibc
def test_who_was_lost_to_an_interrupt_is_forgotten() -> None:
    heap._holders.add(heap._Holder())
    with heap.kept("cpu"):
        settle()
        inside = resident()
    assert not heap._holders
    assert inside - resident() > BLOCK / 2


@glibc
def test_many_threads_leave_it_as_it_was() -> None:
    def enter() -> None:
        for _ in range(200):
            with heap.kept("cpu"):
                pass

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not heap._holders


def other_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))


def tuned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1000000")


def tuned_by_the_newer_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.trim_threshold=1000000")


@pytest.mark.parametrize("where", [other_library, tuned, tuned_by_the_newer_name])
def test_another_library_and_a_user_who_has_seen_to_it_are_left_alone(
    where: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    where(monkeypatch)
    with heap.kept("cpu"):
        assert not heap._holders


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_nothing_is_done_where_networks_are_not_on_the_cpu(device: str) -> None:
    with heap.kept(device):
        assert not heap._holders


@glibc
def test_a_training_keeps_memory_while_it_steps_and_no_longer(tmp_path: Path) -> None:
    sets = ("data.source=shapes", "data.images=64", "data.image_size=16", "network.width=2", "train.batch=32")
    recipe = Recipe.read("cifar10_directcopy", (*sets, "train.epochs=1", "train.log_every=1", "probe.after=[]"))
    found = {}
    watch = lambda line: found.update({line["kind"]: len(heap._holders)})  # noqa: E731
    Training(recipe, runs=tmp_path, resume=False, device="cpu", watch=watch).run()
    assert found["start"] == 0
    assert found["step"] == 1
    assert not heap._holders


class Noting(nn.Module):
    """An encoder that notes whether memory is kept while it computes."""

    size, config = 16, views.Config()

    def forward(self, x: Tensor) -> Tensor:
        self.inside = len(heap._holders)
        return x.mean((2, 3))


@glibc
def test_features_are_made_with_memory_kept() -> None:
    encoder = Noting()
    features([encoder], Dataset(torch.zeros(8, 3, 16, 16, dtype=torch.uint8)), "cpu")  # type: ignore[list-item]
    assert encoder.inside == 1
    assert not heap._holders


@glibc
def test_a_forked_process_gives_back_what_it_frees() -> None:
    lines = (
        "import os",
        "from dcp import heap",
        "with heap.kept('cpu'):",
        "    child = os.fork()",
        "    assert bool(heap._holders) == bool(child)",
        "if child:",
        "    raise SystemExit(os.waitpid(child, 0)[1])",
    )
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True, timeout=60)
