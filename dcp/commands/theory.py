"""`dcp theory`: an experiment of the linear model; table, CSV, figures and one HTML page."""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from dcp.dynamics import page, simulate
from dcp.report import render

PATIENCE = 2.0  # seconds until a reader is told that it takes longer


@contextmanager
def _waiting(name: str) -> Iterator[None]:
    """Say on stderr, when it takes more than `PATIENCE`, that it goes on."""
    text = f"{name}: still simulating; Ctrl-C stops it, and nothing has been written"
    timer = threading.Timer(PATIENCE, lambda: print(text, file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def main(source: str, sets: tuple[str, ...], *, runs: Path, out: Path | None, quiet: bool, as_json: bool) -> int:
    """Run the experiment of a recipe; the exit code."""
    theory = simulate.read(source, sets)
    folder = out or runs / theory.name
    with _waiting(theory.name):
        result = simulate.perform(theory, folder)
    console = Console()
    console.print(render.drawn(page.theory_page(theory.name, theory.experiment, result, rows_only=quiet)))
    if not quiet:
        text = f"\n{folder}: report.html, results.csv, figures.csv, theory.json, recipe.toml"
        console.print(text, highlight=False, soft_wrap=True)
    if as_json:
        print(json.dumps(simulate.plain(theory, result), allow_nan=False))
    return 0
