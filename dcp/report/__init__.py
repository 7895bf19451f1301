"""What people read: a comparison or a run as a terminal page or Markdown. Only here is anything given in percent."""

from dcp.report.render import markdown, summary, summary_markdown, table

__all__ = ["markdown", "summary", "summary_markdown", "table"]
