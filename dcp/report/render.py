"""Draws pages: for the terminal (rich) and as Markdown. What stands on them is said elsewhere."""

from typing import TYPE_CHECKING

from dcp.comparison.compare import Comparison
from dcp.report.comparison_page import comparison_page
from dcp.report.page import Grid, Lines, Page, one_line
from dcp.report.summary_page import summary_page
from dcp.report.terminal import Drawn
from dcp.runs.run import Run

if TYPE_CHECKING:
    from rich.console import RenderableType


def table(comparison: Comparison, *, scores_only: bool = False) -> "RenderableType":
    """A comparison for the terminal, with the main scores of each evaluation; fits its width.

    Args:
        comparison: what to show.
        scores_only: only the scores, and which arm is which.
    """
    return Drawn(comparison_page(comparison, scores_only=scores_only, every_score=False))


def markdown(comparison: Comparison) -> str:
    """A comparison as Markdown with every score, without anything that only one renderer knows."""
    return _marked(comparison_page(comparison))


def summary(run: Run, *, scores_only: bool = False) -> "RenderableType":
    """What a run came to, for the terminal, with the main scores of each evaluation."""
    return Drawn(summary_page(run, scores_only=scores_only, every_score=False))


def summary_markdown(run: Run) -> str:
    """What a run came to, as Markdown with every score."""
    return _marked(summary_page(run))


def drawn(page: Page) -> "RenderableType":
    """Any page for the terminal; fits its width."""
    return Drawn(page)


def marked(page: Page) -> str:
    """Any page as Markdown."""
    return _marked(page)


def _marked(page: Page) -> str:
    parts = [f"# {_escaped(one_line(page.title))}"]
    for block in page.content():
        parts += [f"## {block.title}"] if block.title else []
        parts += _marked_grid(block) if isinstance(block, Grid) else _marked_lines(block)
    return "\n\n".join(parts) + "\n"


def _marked_lines(block: Lines) -> list[str]:
    return ["\n".join(f"- {_escaped(line)}" for line in block.lines)]


def _marked_grid(grid: Grid) -> list[str]:
    parts = []
    for heading, rows in grid.groups:
        parts += [f"**{_escaped(heading)}**"] if heading else []
        rule = ["---", *["---:" if grid.numbers else "---"] * (len(grid.columns) - 1)]
        lines = [list(map(_escaped, grid.columns)), rule, *(map(_escaped, row) for row in rows)]
        parts.append("\n".join(f"| {' | '.join(cells)} |" for cells in lines))
    return parts


def _escaped(text: str) -> str:
    for sign in "\\|*<":
        text = text.replace(sign, f"\\{sign}")
    return text
