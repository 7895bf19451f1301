"""What people read: a comparison or a run for the terminal, as Markdown or HTML. Only here is anything in percent."""

from dcp.report.html import comparison_html, run_html
from dcp.report.render import drawn, markdown, marked, summary, summary_markdown, table

__all__ = ["comparison_html", "drawn", "markdown", "marked", "run_html", "summary", "summary_markdown", "table"]
