"""Where a step goes: the time of its parts, one after the other.

On a CPU each part is waited for. On a GPU each is a CUDA graph, so that the parts follow one another without gaps, and
events between them tell the time; where that cannot be captured, each is waited for there, too.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from benchmarks.measure import Row, Scale, Spread, settle
from benchmarks.step import CPU, GPU, QUICK, Case, in_time, recipe
from benchmarks.tasks import TRAININGS, Task
from benchmarks.training import Training, begun
from dcp.hardware.graph import EAGER, cause
from dcp.method.moments import full

PARTS = ("views", "online branch, loss", "target branch", "backward", "optimizer", "F and W", "EMA", "readouts")
STEPS = 5  # that count


def tasks(scale: Scale) -> list[Task]:
    """The CIFAR network."""
    if scale.device == "cuda":
        return [Task(measured, (GPU[0],), 15, 12, TRAININGS)]
    return [Task(measured, ((QUICK if scale.quick else CPU)[0],))]


def measured(scale: Scale, case: Case) -> list[Row]:
    """Share of each part in the step, in percent."""
    torch.set_num_threads(scale.threads)
    clock: Clock | Graphs = Clock(scale.device)
    note = "each part is waited for"
    with begun(recipe(in_time(case, scale)), scale.device) as training:
        for _ in range(EAGER):
            step(training, clock)
        if scale.device == "cuda":
            clock, note = captured_step(training), "each part is a graph"
        if isinstance(clock, Clock):
            clock.steps.clear()
            for _ in range(STEPS):
                step(training, clock)
        steps = clock.steps if isinstance(clock, Clock) else clock.replayed(4 * STEPS)
    group, whole = f"parts of a step, {case.name}", [sum(parts.values()) for parts in steps]
    shares = {name: [100 * parts[name] / all_ for parts, all_ in zip(steps, whole, strict=True)] for name in PARTS}
    made = [Row(group, name, "%", Spread.of(shares[name]), note=note) for name in PARTS]
    return [*made, Row(group, "all parts", "ms/step", Spread.of([1000 * all_ for all_ in whole]), note=note)]


class Clock:
    """Adds up the seconds of named parts, step by step, waiting for each."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.steps: list[dict[str, float]] = []

    def begin(self, *inputs: object) -> None:
        """A step begins."""
        self.steps.append(dict.fromkeys(PARTS, 0.0))

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """What happens in this block counts to `name`."""
        settle(self.device)
        started = time.perf_counter()
        yield
        settle(self.device)
        self.steps[-1][name] += time.perf_counter() - started


class Graphs:
    """Captures named parts of a step as CUDA graphs, which are replayed in their order. For "cuda".

    All share one pool of memory: what a part leaves for a later one stays there.
    """

    def __init__(self) -> None:
        self.pool = torch.cuda.graph_pool_handle()
        self.graphs: list[tuple[str, torch.cuda.CUDAGraph]] = []
        self.kept: tuple[object, ...] = ()  # what the graphs read

    def begin(self, *inputs: object) -> None:
        """A step begins: there is only one."""
        self.kept = inputs

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """What is launched in this block counts to `name`."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.pool):
            yield
        self.graphs.append((name, graph))

    def replayed(self, count: int) -> list[dict[str, float]]:
        """Seconds of each part of so many steps, after one that warms up."""
        rounds = []
        for _ in range(count + 1):
            marks = [torch.cuda.Event(enable_timing=True) for _ in range(len(self.graphs) + 1)]
            marks[0].record()
            for mark, (_, graph) in zip(marks[1:], self.graphs, strict=True):
                graph.replay()
                mark.record()
            rounds.append(marks)
        torch.cuda.synchronize()
        steps = [dict.fromkeys(PARTS, 0.0) for _ in rounds]
        for parts, marks in zip(steps, rounds, strict=True):
            for (name, _), before, after in zip(self.graphs, marks[:-1], marks[1:], strict=True):
                parts[name] += before.elapsed_time(after) / 1000
        return steps[1:]


def captured_step(training: Training) -> Graphs:
    """A step whose parts are captured; a capture computes nothing.

    Raises:
        RuntimeError: it could not be captured, and why; what CUDA does in this process after that is not certain.
    """
    clock = Graphs()
    try:
        step(training, clock)
    except Exception as error:  # CUDA's, torch's, and those of what is captured
        raise RuntimeError(f"the parts could not be captured: {cause(error)}") from error
    return clock


def step(training: Training, clock: Clock | Graphs) -> None:
    """The training step of `dcp.training.step` and `dcp.method.algorithm`, taken apart."""
    trainer, batch_views = training.trainer, training.loop.take.batch_views
    method, optimizer = trainer.parts.method, trainer.parts.optimizer
    index, crops = batch_views.inputs(next(training.batches))
    clock.begin(index, crops)
    with clock.part("views"):
        views = batch_views.of(index, crops)
    with clock.part("online branch, loss"):
        with method.arithmetic(views[0]):
            h, h2 = method.through(method.online.backbone, views)
            z1, z2 = map(full, method.through(method.online.projector, (h, h2)))
        p1, p2 = method.predictor(z1), method.predictor(z2)
    with clock.part("target branch"), method.arithmetic(views[0]):
        t1, t2 = map(full, method.through(method.target, views, (z1, z2)))
    with clock.part("online branch, loss"):
        loss = (method.objective(p1, z1, t2) + method.objective(p2, z2, t1)).mean()
    with clock.part("backward"):
        loss.backward()
    with clock.part("optimizer"):
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    with clock.part("F and W"), torch.no_grad():
        method.moments.store(method.blends(torch.stack([z1, z2]).detach(), None)[1])
        method.predictor.refresh(method.moments.F)
    with clock.part("EMA"):
        method.target.update(method.online, 0.5)
    with clock.part("readouts"):
        assert training.loop.take.readout is not None
        training.loop.take.readout.add(full(h).detach(), index)
