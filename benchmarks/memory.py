"""What a step takes of a GPU's memory, as a CUDA graph and eager, one training after the other in one process.

"allocated" is the most that tensors took at a time, "reserved" the most that torch had taken for them, both from the
first step on. "reserved, later" leaves out the first steps, in which cuDNN tries algorithms that it does not keep; a
graph's memory is part of it, which no other step may use. "of the card" is everything that the GPU holds then, for
other processes too.
"""

import gc

import torch

from benchmarks.measure import Row, Scale, rows
from benchmarks.step import GPU, Case, graph_note, in_time, recipe
from benchmarks.tasks import Task
from benchmarks.training import begun
from dcp.hardware.device import peak_memory_bytes
from dcp.hardware.graph import EAGER

WAYS = {"eager": ("train.graph=false",), "graph": ()}
GIB = 2**30


def tasks(scale: Scale) -> list[Task]:
    """A small network and one on larger images; the memory of a CPU is that of the process, graph or not."""
    some = (GPU[0], GPU[2])
    return [Task(measured, (case,), 15, 10, "memory") for case in some] if scale.device == "cuda" else []


def measured(scale: Scale, case: Case) -> list[Row]:
    """GiB of each kind, and the graph's as multiples of those of eager steps."""
    torch.set_num_threads(scale.threads)
    case = in_time(case, scale)
    peaks(scale, case, WAYS["eager"])  # what libraries take once is there before either is measured
    found, notes = {}, {}
    for name, sets in WAYS.items():
        found[name], notes[name] = peaks(scale, case, sets)
    made = []
    for kind in found["eager"]:
        by_way = {f"{name}, {kind}": [sizes[kind]] for name, sizes in found.items()}
        note = f"batch {case.batch}; {notes['graph']}".removesuffix("; ")
        made += rows(f"memory, {case.name}", "GiB", by_way, beside=f"eager, {kind}", note=note)
    return made


def peaks(scale: Scale, case: Case, sets: tuple[str, ...]) -> tuple[dict[str, float], str]:
    """GiB by kind, and whether it was a graph."""
    cuda = scale.device == "cuda"
    gc.collect()
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    with begun(recipe(case, *sets), scale.device) as training:
        training.steps(EAGER + 2)
        if not cuda:
            return {"allocated": (peak_memory_bytes(training.trainer.process.device) or 0) / GIB}, ""
        torch.cuda.synchronize()
        sizes = {"allocated": torch.cuda.max_memory_allocated(), "reserved": torch.cuda.max_memory_reserved()}
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        training.steps(3)
        torch.cuda.synchronize()
        free, of_all = torch.cuda.mem_get_info()
        sizes |= {"reserved, later": torch.cuda.max_memory_reserved(), "of the card": of_all - free}
        return {kind: size / GIB for kind, size in sizes.items()}, graph_note(training)
