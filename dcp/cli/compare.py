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
    figures: Annotated[
        str | None,
        typer.Option("--figures", metavar="FORMAT", help="Also write each chart there: pdf, svg or png."),
    ] = None,
    quiet: options.Quiet = False,
    json_: options.Json = False,
) -> None:
    """Compare runs, or groups of seeds: scores with intervals, what differs between the recipes, cost."""
    from rich.console import Console

    from dcp.comparison.compare import compare_named
    from dcp.report import render
    from dcp.report.chart_files import check_figures, write_charts
    from dcp.report.html import reports
    from dcp.runs.disk import atomic_write, make_folder
    from dcp.runs.json_files import to_json

    check_figures(figures, out)
    comparison = compare_named(runs_, runs)
    if out is not None:
        make_folder(out)
        atomic_write(out / "comparison.md", render.markdown(comparison).encode())
        atomic_write(out / "comparison.json", to_json(render.plain(comparison)))
        atomic_write(out / "comparison.html", reports.comparison_html(comparison).encode())
        if figures is not None:
            write_charts(comparison, figures, out)
    Console().print(render.table(comparison, scores_only=quiet))
    if json_:
        print(json.dumps(render.plain(comparison)))
