"""`dcp compare`: runs side by side, as a table, Markdown, JSON and HTML. Starts without torch."""

import json
from pathlib import Path

from rich.console import Console

from dcp.comparison.named import compare_named
from dcp.report import render
from dcp.report.html import reports
from dcp.runs.disk import atomic_write, make_folder
from dcp.runs.records import to_json


def main(words: list[str], *, runs: Path, out: Path | None, quiet: bool, as_json: bool) -> int:
    """Compare the runs that the words name; the exit code."""
    comparison = compare_named(words, runs)
    if out is not None:
        make_folder(out)
        atomic_write(out / "comparison.md", render.markdown(comparison).encode())
        atomic_write(out / "comparison.json", to_json(comparison.to_dict()))
        atomic_write(out / "comparison.html", reports.comparison_html(comparison).encode())
    Console().print(render.table(comparison, scores_only=quiet))
    if as_json:
        print(json.dumps(json.loads(to_json(comparison.to_dict()))))
    return 0
