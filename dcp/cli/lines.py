"""Lines for people: broken between words where a terminal ends, and whole everywhere else."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

INDENT = "  "
RUN_FILES = (
    *("encoder.safetensors", "probes", "metrics.jsonl", "run.json", "recipe.toml", "checkpoint"),
    "start.safetensors",  # of a run that began with weights
)


def paragraph(text: str, width: int) -> list[str]:
    """The text in lines of so many columns, those after the first indented; a word that is longer stays whole.

    >>> paragraph("runs/a-s0: 256 images, 2 epochs", 20)
    ['runs/a-s0: 256', '  images, 2 epochs']
    """
    own = " " * (len(text) - len(text.lstrip(" ")))
    room = max(width, len(own) + len(INDENT) + 1)
    return wrap(text, room, subsequent_indent=own + INDENT, break_long_words=False, break_on_hyphens=False) or [""]


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
