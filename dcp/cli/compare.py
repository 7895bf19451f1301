"""`dcp compare`: runs side by side, as a table, Markdown, JSON and HTML. Starts without torch."""

import json
from pathlib import Path
from typing import Annotated

import typer

from dcp.cli import options


def compare(
    runs_: options.RunNames,
    runs: options.Runs = Path("runs"),
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Also write comparison.html, .md and .json here."),
    ] = None,
    quiet: options.Quiet = False,
    json_: options.Json = False,
) -> None:
    """Compare runs, or groups of seeds: scores with intervals, what differs between the recipes, cost."""
    from rich.console import Console

    from dcp.comparison.compare import compare_named
    from dcp.report import render
    from dcp.report.html import reports
    from dcp.runs.disk import atomic_write, make_folder
    from dcp.runs.json_files import check_made_by_dcp, to_json

    if out is not None:
        names = [f"comparison.{suffix}" for suffix in ("json", "md", "html")]
        check_made_by_dcp(out, names, marker="comparison.json")
    comparison = compare_named(runs_, runs)
    if out is not None:
        make_folder(out)
        atomic_write(out / "comparison.md", render.markdown(comparison).encode())
        atomic_write(out / "comparison.json", to_json(render.plain(comparison)))
        atomic_write(out / "comparison.html", reports.comparison_html(comparison).encode())
    Console().print(render.table(comparison, scores_only=quiet))
    if json_:
        print(json.dumps(render.plain(comparison)))
