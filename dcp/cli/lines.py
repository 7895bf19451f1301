"""Lines for people: broken between words where a terminal ends, and whole everywhere else."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dcp.report.paragraphs import paragraph

if TYPE_CHECKING:
    from rich.console import Console

RUN_FILES = (
    *("encoder.safetensors", "probes", "metrics.jsonl", "run.json", "recipe.toml", "checkpoint"),
    "start.safetensors",  # of a run that began with weights
)


def tell(console: "Console", text: str) -> None:
    """Print one or more sentences, each on a line."""
    for line in _lines(text, console.width if console.is_terminal else 0):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def complain(text: str) -> None:
    """Print on standard error, without rich: what is said there may be that memory has run out."""
    try:
        width = os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):  # no terminal
        width = 0
    print("\n".join(_lines(text, width)), file=sys.stderr, flush=True)


def _lines(text: str, width: int) -> list[str]:
    """The lines of a text for so many columns; as they are where the width is 0."""
    return [part for line in text.split("\n") for part in (paragraph(line, width) if width else [line])]


def written(console: "Console", folder: Path, names: Sequence[str] = RUN_FILES) -> None:
    """Say which of these files and folders lie in a folder: the last thing that a command says."""
    there = [f"{name}/" if (folder / name).is_dir() else name for name in names if (folder / name).exists()]
    tell(console, f"Written: {folder}: {', '.join(there)}")
