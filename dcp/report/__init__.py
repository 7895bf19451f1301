"""What people read: a comparison or a run as a terminal page or Markdown. Only here is anything given in percent."""

from dcp.report.render import drawn, markdown, marked, summary, summary_markdown, table

__all__ = ["drawn", "markdown", "marked", "summary", "summary_markdown", "table"]
