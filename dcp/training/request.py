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
    """Where runs lie, whether they go on, what computes, and who is told."""

    runs: Path = Path("runs")  # the folder of run folders; a run is `<runs>/<run.name>-s<run.seed>`
    resume: bool = False  # continue the run if it is there, begin it if not
    device: str = "auto"  # "auto", "cpu", "cuda" or "mps"
    processes: int = 1  # that train together, where the command starts them
    watch: Watch = silent  # is given every line of metrics as it is written, and a "start" line
    say: Say = silent  # is told in words what is skipped and why
    warn: Say = silent  # is told, in every process, what keeps it waiting
    dry: bool = False  # nothing will be written: a run that is there is in nobody's way
