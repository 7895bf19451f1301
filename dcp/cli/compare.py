"""`dcp compare`: who is better and the arms as a table; then, if asked, everything; Markdown, JSON and HTML.

Starts without torch.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dcp.cli import options
from dcp.errors import RequestError

if TYPE_CHECKING:
    from dcp.comparison.compare import Comparison

MORE = "--details: every score, tests, settings that differ, cost."


def compare(
    runs_: options.RunNames,
    runs: options.Runs = Path("runs"),
    details: Annotated[
        bool, typer.Option("--details", help="Also every score, tests, settings that differ, cost.")
    ] = False,
    format_: options.As = options.Format.table,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Also write comparison.html, .md and .json here."),
    ] = None,
    figures: options.Figures = None,
    quiet: options.Quiet = False,
    json_: options.Json = False,
) -> None:
    """Compare runs, or groups of seeds: who is better in the primary score, how sure that is, and a table of the arms.

    The primary score is linear top1, or what probe.primary of the recipes says.
    """
    from rich.console import Console

    from dcp.cli.lines import written
    from dcp.comparison.compare import compare_named
    from dcp.report import render
    from dcp.report.chart_files import FOLDER as FIGURES
    from dcp.report.chart_files import check_figures, write_charts
    from dcp.report.html import reports
    from dcp.report.page import Lines, Page
    from dcp.runs.disk import atomic_write, make_folder
    from dcp.runs.json_files import to_json
    from dcp.runs.made_by_dcp import check_made_by_dcp, marked

    check_alone(format_, {"--details": details, "--json": json_})
    check_figures(figures, out)
    names = [f"comparison.{suffix}" for suffix in ("html", "md", "json")]
    if out is not None:
        check_made_by_dcp(out, names)
    comparison, console = compare_named(runs_, runs), Console(stderr=format_ is not options.Format.table)
    if out is not None:
        make_folder(out)
        atomic_write(out / "comparison.md", marked(render.markdown(comparison)))
        atomic_write(out / "comparison.json", to_json(render.plain(comparison)))
        atomic_write(out / "comparison.html", reports.comparison_html(comparison).encode())
        if figures is not None:
            write_charts(comparison, figures, out)
    if format_ is not options.Format.table:
        write(comparison, format_, quiet=quiet)
    else:
        console.print(render.result(comparison))
        if details:
            console.print()
            console.print(render.table(comparison, scores_only=quiet))
        elif not quiet:
            if said := render.care(comparison):
                console.print()
                console.print(said)
            console.print()
            console.print(render.terminal(Page("", (Lines("", (MORE,)),))))
    if out is not None:
        if not console.stderr:
            console.print()
        written(console, out, [*names, *([FIGURES] if figures else [])])
    if json_:
        print(json.dumps(render.plain(comparison)))


def check_alone(format_: options.Format, others: dict[str, bool]) -> None:
    """Refuse options that would print something beside a table that is to be alone on standard output.

    Raises:
        RequestError: "bad-option".
    """
    if format_ is not options.Format.table and (given := [name for name, is_given in others.items() if is_given]):
        what, hint = f"--format {format_.value} prints the table alone", f"leave out {' and '.join(given)}, or --format"
        raise RequestError(what, slug="bad-option", where=" ".join(given), hint=hint)


def write(comparison: "Comparison", format_: options.Format, *, quiet: bool) -> None:
    """The table of the arms on standard output, and what takes care on standard error, so that a file is the table."""
    from rich.console import Console

    from dcp.report import render, tables
    from dcp.report.result import result_table

    print(tables.WRITERS[format_.value](result_table(comparison)), end="")
    if not quiet and (said := render.care(comparison)):
        Console(stderr=True).print(said)
