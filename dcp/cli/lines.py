"""Lines for people: broken between words where a terminal ends, and whole everywhere else."""

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
    """Print a sentence."""
    for line in paragraph(text, console.width) if console.is_terminal else [text]:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def written(console: "Console", folder: Path, names: Sequence[str] = RUN_FILES) -> None:
    """Say which of these files and folders lie in a folder: the last thing that a command says."""
    there = [f"{name}/" if (folder / name).is_dir() else name for name in names if (folder / name).exists()]
    tell(console, f"Written: {folder}: {', '.join(there)}")
