"""`dcp theory`: an experiment of the linear model; table, CSV, figures and one HTML page."""

import json
from pathlib import Path

from rich.console import Console

from dcp import laboratory, report


def main(source: str, sets: tuple[str, ...], *, runs: Path, out: Path | None, quiet: bool, as_json: bool) -> int:
    """Run the experiment of a recipe; the exit code."""
    theory = laboratory.read(source, sets)
    folder = out or runs / theory.name
    result = laboratory.perform(theory, folder)
    console = Console()
    console.print(report.drawn(report.theory_page(theory.name, theory.experiment, result, rows_only=quiet)))
    if not quiet:
        text = f"\n{folder}: report.html, results.csv, figures.csv, theory.json, recipe.toml"
        console.print(text, highlight=False, soft_wrap=True)
    if as_json:
        print(json.dumps(laboratory.plain(theory, result)))
    return 0
