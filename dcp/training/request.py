"""Request: what is asked for besides the recipe, by the command line or by a program."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Watch = Callable[[dict[str, Any]], None]
Say = Callable[[str], None]


def silent(*_: object) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Request:
    """Where runs lie, whether they go on, what computes, and who is told.

    Attributes:
        runs: the folder of run folders; a run is `<runs>/<run.name>-s<run.seed>`.
        resume: continue the run if it is there, begin it if not.
        device: "auto", "cpu", "cuda" or "mps".
        processes: that train together, where the command starts them.
        watch: is given every line of metrics as it is written, and a "start" line.
        say: is told in words what is skipped and why.
    """

    runs: Path = Path("runs")
    resume: bool = False
    device: str = "auto"
    processes: int = 1
    watch: Watch = silent
    say: Say = silent
