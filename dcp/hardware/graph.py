"""A CUDA graph of a function: captured once, then replayed with other inputs."""

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
        failed: is told why, if the capture fails.
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
        if self.usable and self.result is None and self.calls > EAGER:
            self._try(function, inputs)
        if self.inputs is None or self.result is None:
            return function(inputs)
        for mine, new in zip(self.inputs, inputs, strict=True):
            if isinstance(mine, Tensor):
                mine.copy_(new, non_blocking=True)
        self._replay()
        return self.result

    def _try(self, function: Callable[[Given], Result], inputs: Given) -> None:
        """Capture the function, or say why it cannot be done."""
        kept: Any = (value.clone() if isinstance(value, Tensor) else value for value in inputs)
        self.inputs = type(inputs)(*kept)
        try:
            self.result = self._captured(function, self.inputs)
        except Exception as error:  # whatever it is that a network does and a graph cannot hold
            self.usable, self.inputs = False, None
            self.failed(f"the capture failed: {type(error).__name__}: {error}".splitlines()[0])

    def _captured(self, function: Callable[[Given], Result], inputs: Given) -> Result:
        """The tensors that a replay writes."""
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
        try:
            # other threads may pin memory meanwhile, as those of a loader do
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                result = function(inputs)
        finally:
            torch.cuda.set_stream(stream)  # a capture that fails leaves its own stream current
        self.graph = graph
        return result

    def _replay(self) -> None:
        assert self.graph is not None, "captured before"
        self.graph.replay()
