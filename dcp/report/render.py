"""Draws pages: for the terminal (rich) and as Markdown. What stands on them is said elsewhere."""

from typing import TYPE_CHECKING

from dcp.comparison.compare import Comparison
from dcp.report.comparison_page import comparison_page
from dcp.report.page import Lines, Page, one_line
from dcp.report.summary_page import summary_page
from dcp.report.terminal import TerminalPage
from dcp.runs.run import Run

if TYPE_CHECKING:
    from rich.console import RenderableType


def table(comparison: Comparison, *, scores_only: bool = False) -> "RenderableType":
    """A comparison for the terminal, with the main scores of each evaluation; fits its width.

    Args:
        comparison: what to show.
        scores_only: only the scores, and which arm is which.
    """
    return terminal(comparison_page(comparison, scores_only=scores_only, every_score=False))


def markdown(comparison: Comparison) -> str:
    """A comparison as Markdown with every score, without anything that only one renderer knows."""
    return page_markdown(comparison_page(comparison))


def summary(run: Run, *, scores_only: bool = False) -> "RenderableType":
    """What a run came to, for the terminal, with the main scores of each evaluation."""
    return terminal(summary_page(run, scores_only=scores_only, every_score=False))


def summary_markdown(run: Run) -> str:
    """What a run came to, as Markdown with every score."""
    return page_markdown(summary_page(run))


def terminal(page: Page) -> "RenderableType":
    """Any page for the terminal; fits its width."""
    return TerminalPage(page)


def page_markdown(page: Page) -> str:
    """Any page as Markdown."""
    parts = [f"# {_escaped(one_line(page.title))}"]
    for block in page.content():
        parts += [f"## {block.title}"] if block.title else []
        if isinstance(block, Lines):
            parts.append("\n".join(f"- {_escaped(line)}" for line in block.lines))
            continue
        rule = ["---", *["---:" if block.numbers else "---"] * (len(block.columns) - 1)]
        for heading, rows in block.groups:
            parts += [f"**{_escaped(heading)}**"] if heading else []
            lines = [list(map(_escaped, block.columns)), rule, *(map(_escaped, row) for row in rows)]
            parts.append("\n".join(f"| {' | '.join(cells)} |" for cells in lines))
    return "\n\n".join(parts) + "\n"


def _escaped(text: str) -> str:
    for sign in "\\|*<":
        text = text.replace(sign, f"\\{sign}")
    return text
