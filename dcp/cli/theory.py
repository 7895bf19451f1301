"""`dcp theory`: an experiment of the linear model; table, CSV, figures and one HTML page."""

import json
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from dcp.cli import options

FILES = ("report.html", "results.csv", "figures.csv", "theory.json", "recipe.toml")
PATIENCE = 2.0  # seconds until a reader is told that it takes longer


def theory(
    recipe: options.Recipe,
    words: options.Words = None,
    set_: options.Sets = None,
    runs: options.Runs = Path("runs"),
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="The folder of the results; else DIR of --runs / name.")
    ] = None,
    quiet: options.Quiet = False,
    json_: options.Json = False,
) -> None:
    """The linear model of the papers: simulated beside its closed form, as table, CSV and HTML."""
    from rich.console import Console

    from dcp.cli.lines import written
    from dcp.dynamics import simulate
    from dcp.dynamics.page import theory_page
    from dcp.report import render

    checked = simulate.read(recipe, (*(set_ or ()), *(words or ())))
    folder = out or runs / checked.name
    text = f"{checked.name}: still simulating; Ctrl-C stops it, and nothing has been written"
    timer = threading.Timer(PATIENCE, lambda: print(text, file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        result = simulate.perform(checked, folder)
    finally:
        timer.cancel()
    console = Console()
    console.print(render.terminal(theory_page(checked.name, checked.experiment, result, rows_only=quiet)))
    console.print()
    written(console, folder, FILES)
    if json_:
        print(json.dumps(simulate.plain(checked, result), allow_nan=False))
