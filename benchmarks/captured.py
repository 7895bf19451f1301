"""Work as a CUDA graph, for what is measured beside dcp's own graph, and for parts of it."""

from collections.abc import Callable

import torch

from dcp.hardware.graph import EAGER, capture, cause


class Captured:
    """Work that is captured as a CUDA graph once; each call replays it, on the tensors of the capture. For "cuda".

    The work must ask the device for nothing. It is kept, and with it the tensors that the graph reads and writes.
    """

    def __init__(self, work: Callable[[], object]) -> None:
        self.work = work
        current, aside = torch.cuda.current_stream(), torch.cuda.Stream()
        aside.wait_stream(current)
        with torch.cuda.stream(aside):
            for _ in range(EAGER):
                work()
        current.wait_stream(aside)
        self.graph, _ = capture(work)

    def __call__(self) -> None:
        """Replay it."""
        self.graph.replay()


def captured(work: Callable[[], object], device: str) -> Callable[[], object]:
    """The work as a graph on "cuda", and as it is on a CPU."""
    return Captured(work) if device == "cuda" else work


def captured_or_noted(
    work: Callable[[], object], device: str, name: str, notes: list[str]
) -> Callable[[], object] | None:
    """The same; None where it cannot be captured, with a note why."""
    try:
        return captured(work, device)
    except RuntimeError as error:
        notes.append(f"{name} could not be captured: {cause(error)}")
        return None
