"""What the host needs to issue a step on a GPU, as a CUDA graph and eager, beside the time until the GPU is done.

Learning rates and numbers of the next step are the host's to prepare, so they count. The drawing of batches, which
costs some microseconds, and lines of the metrics, at which the host waits for the GPU, don't. The eager step is issued
singly: many of them would fill the GPU's queue, and the host would wait for a place in it.
"""

import time
from itertools import islice

import torch

from benchmarks.measure import Row, Scale, rows, settle
from benchmarks.step import GPU, Case, graph_note, in_time, recipe
from benchmarks.tasks import TRAININGS, Task
from benchmarks.training import Training, begun
from dcp.hardware.graph import EAGER

WAYS = {"graph": (), "eager": ("train.graph=false",)}
AT_ONCE = 20  # replays that are issued without waiting


def tasks(scale: Scale) -> list[Task]:
    """The small network, which a host may be too slow for; a CPU issues nothing."""
    return [Task(measured, (GPU[0],), 15, 2, TRAININGS)] if scale.device == "cuda" else []


def measured(scale: Scale, case: Case) -> list[Row]:
    """Milliseconds a step until the host is done, and until the GPU is."""
    torch.set_num_threads(scale.threads)
    found: dict[str, list[float]] = {}
    notes = [f"batch {case.batch}"]
    for name, sets in WAYS.items():
        with begun(recipe(in_time(case, scale), *sets), scale.device) as training:
            training.steps(EAGER + 2)
            count = 1 if training.trainer.why_no_graph else AT_ONCE
            taken = [issued(training, count, scale.device) for _ in range(1 + 2 * scale.repeats)][1:]
            notes.append(graph_note(training) if name == "graph" else "")
        found[name], found[f"{name}, until the GPU is done"] = ([pair[i] for pair in taken] for i in (0, 1))
    note = "; ".join(filter(None, notes))
    return rows(f"host, {case.name}", "ms/step", found, beside="graph", note=note)


def issued(training: Training, count: int, device: str) -> tuple[float, float]:
    """Milliseconds a step of `count` steps, until they are issued and until they are done."""
    batches = list(islice(training.batches, count))
    settle(device)
    began = time.perf_counter()
    for number, batch in enumerate(batches):
        training.loop.take(batch, number % training.loop.metrics.log_every)
    gone = time.perf_counter() - began
    settle(device)
    done = time.perf_counter() - began
    return 1000 * gone / count, 1000 * done / count
