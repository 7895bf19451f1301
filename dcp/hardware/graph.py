"""A CUDA graph of a function: captured once, then replayed with other inputs."""

import contextlib
import gc
import warnings
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

Given = TypeVar("Given", bound=tuple[Any, ...])
Result = TypeVar("Result")

EAGER = 3  # calls before the capture: in these optimizers make their state, and libraries choose their algorithms


class Graph(Generic[Given, Result]):
    """Calls a function a few times as it is; from then on it replays what one call launches.

    A capture launches nothing, and so changes nothing: no state has to be put aside for it. A function that cannot be
    captured is called as it is for good.

    Args:
        failed: is told why, if it cannot be captured.
    """

    def __init__(self, failed: Callable[[str], None]) -> None:
        self.failed, self.calls, self.usable = failed, 0, True
        self.graph: torch.cuda.CUDAGraph | None = None
        self.inputs: Given | None = None  # the graph reads these
        self.result: Result | None = None  # the graph writes these

    def __call__(self, function: Callable[[Given], Result], inputs: Given) -> Result:
        """What the function gives for these inputs, a tuple with tensors in it; the next call overwrites it.

        The function must be the same at each call, and so must all of the inputs but the values of the tensors.
        """
        self.calls += 1
        if self.usable and self.calls == EAGER:
            return self._watched(function, inputs)
        if self.usable and self.result is None and self.calls > EAGER:
            self._try(function, inputs)
        if self.inputs is None or self.result is None:
            return function(inputs)
        for mine, new in zip(self.inputs, inputs, strict=True):
            if isinstance(mine, Tensor):
                mine.copy_(new, non_blocking=True)
        self._replay()
        return self.result

    def _watched(self, function: Callable[[Given], Result], inputs: Given) -> Result:
        """The last call before the capture: one that makes the host wait would fail, and spoil more than itself."""
        result, why = watched(lambda: function(inputs))
        if why:
            self._give_up(f"the host waits for the device: {why}")
        return result

    def _try(self, function: Callable[[Given], Result], inputs: Given) -> None:
        """Capture the function, or say why it cannot be done."""
        kept: Any = (value.clone() if isinstance(value, Tensor) else value for value in inputs)
        mine: Given = type(inputs)(*kept)
        try:
            self.result = self._captured(function, mine)
        except Exception as error:  # whatever it is that a network does and a graph cannot hold
            self._give_up(f"the capture failed: {cause(error)}")
        else:
            self.inputs = mine

    def _give_up(self, why: str) -> None:
        self.usable = False
        self.failed(why)

    def _captured(self, function: Callable[[Given], Result], inputs: Given) -> Result:
        """The tensors that a replay writes."""
        self.graph, result = capture(lambda: function(inputs))
        return result

    def _replay(self) -> None:
        assert self.graph is not None, "captured before"
        self.graph.replay()


def watched(function: Callable[[], Result]) -> tuple[Result, str]:
    """What a function gives, and what in it made the host wait for a CUDA device; "" if nothing did."""
    if not torch.cuda.is_available():
        return function(), ""
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            result = function()
    finally:
        torch.cuda.set_sync_debug_mode(before)
    waits = [warning for warning in told if "synchronizing" in str(warning.message)]
    return result, f"{waits[0].filename}:{waits[0].lineno}" if waits else ""


def capture(function: Callable[[], Result]) -> tuple[torch.cuda.CUDAGraph, Result]:
    """A CUDA graph of what a function launches, and the tensors that it writes.

    Raises:
        Exception: whatever the function or CUDA raised; the process can go on without the graph.
    """
    graph, pool = torch.cuda.CUDAGraph(), torch.cuda.graph_pool_handle()
    stream = torch.cuda.current_stream()
    gc.collect()  # a graph that is collected during a capture ends it
    gc.disable()
    try:
        # other threads may pin memory meanwhile, as those of a loader do
        with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
            result = function()
    except Exception:
        torch.cuda.set_stream(stream)  # a capture that fails leaves its own stream current
        _recover(graph, pool, stream.device)
        raise
    finally:
        gc.enable()
    return graph, result


def _recover(graph: torch.cuda.CUDAGraph, pool: Any, device: torch.device) -> None:
    """Undo what a capture that did not end leaves: a generator that waits for its end, a pool that grows.

    torch (2.11 to 2.14) leaves both as they are, and has no public way to mend them.
    """
    with contextlib.suppress(Exception):
        generator = torch.cuda.default_generators[device.index]
        generator.graphsafe_set_state(generator.clone_state())
    try:
        graph.pool()
    except Exception:  # it never ended
        with contextlib.suppress(Exception):
            torch._C._cuda_endAllocateToPool(device.index, pool)
            torch._C._cuda_releasePool(device.index, pool)
    _failed.append(graph)


_failed: list[torch.cuda.CUDAGraph] = []  # the allocator may still refer to them


def cause(error: BaseException) -> str:
    """The first error of a chain in one line: the end of a failed capture raises another one over it."""
    while error.__context__ is not None:
        error = error.__context__
    return f"{type(error).__name__}: {error}".splitlines()[0]
