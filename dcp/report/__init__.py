"""What people read: a comparison or a run for the terminal, as Markdown or HTML. Only here is anything in percent."""

from dcp.report.html import comparison_html, run_html
from dcp.report.html.theory import theory_html
from dcp.report.render import drawn, markdown, marked, summary, summary_markdown, table
from dcp.report.theory_page import figures_csv, results_csv, theory_page

__all__ = [
    "comparison_html",
    "drawn",
    "figures_csv",
    "markdown",
    "marked",
    "results_csv",
    "run_html",
    "summary",
    "summary_markdown",
    "table",
    "theory_html",
    "theory_page",
]
