"""The command keeps the memory that its steps free; who has tuned malloc is left alone."""

import os
import platform
import subprocess
import sys

import pytest

FAULTS = """
import os, resource, sys, torch
from dcp.hardware.malloc import keep_freed_memory
def faults():  # pages that the system hands out while blocks of 64 MiB are taken, written and freed
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        torch.empty(2**26, dtype=torch.uint8).fill_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
given = faults()
keep_freed_memory()
for _ in range(8):
    faults()  # what is small is cut out of the first blocks
kept = faults()
child = os.fork()
if not child:
    os._exit(faults() < given / 2)
sys.exit(f"{given} {kept} {os.waitpid(child, 0)[1]}")
"""
glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the process's malloc is not glibc's")


def pages(**environment: str) -> tuple[int, int, int]:
    """Page faults before and after it is set, and whether a forked child still keeps what it frees."""
    tuned = ("MALLOC_", "GLIBC_TUNABLES")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(tuned)}
    run = subprocess.run([sys.executable, "-c", FAULTS], env={**clean, **environment}, capture_output=True, text=True)
    given, kept, child = map(int, run.stderr.split())
    return given, kept, child


@glibc
def test_a_block_that_comes_again_is_not_asked_of_the_system_again_but_by_forked_children() -> None:
    given, kept, child = pages()
    assert kept < given / 10
    assert child == 0


@glibc
@pytest.mark.parametrize("name", ["MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"])
def test_a_user_who_has_tuned_malloc_is_left_alone(name: str) -> None:
    value = "1000000" if name.startswith("MALLOC") else "glibc.malloc.trim_threshold=1000000"
    given, kept, _ = pages(**{name: value})
    assert kept > given / 2
