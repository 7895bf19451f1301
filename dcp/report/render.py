"""Draws pages: for the terminal (rich) and as Markdown. What stands on them is said elsewhere."""

from typing import TYPE_CHECKING

from dcp.comparison import Comparison
from dcp.report.comparison_page import comparison_page
from dcp.report.page import Grid, Lines, Page
from dcp.report.summary_page import summary_page
from dcp.run import Run

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

GAP = 2  # columns between two cells


def table(comparison: Comparison) -> "RenderableType":
    """A comparison for the terminal; fits 80 columns with up to about six arms."""
    return _drawn(comparison_page(comparison))


def markdown(comparison: Comparison) -> str:
    """A comparison as Markdown, without anything that only one renderer knows."""
    return _marked(comparison_page(comparison))


def summary(run: Run) -> "RenderableType":
    """What a run came to, for the terminal."""
    return _drawn(summary_page(run))


def summary_markdown(run: Run) -> str:
    """What a run came to, as Markdown."""
    return _marked(summary_page(run))


def _drawn(page: Page) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [Text(page.title, style="bold")]
    for block in page.content():
        parts.append(Text(""))
        if block.title:
            parts.append(Text(block.title, style="bold cyan"))
        parts += _drawn_grid(block) if isinstance(block, Grid) else _drawn_lines(block)
    return Group(*parts)


def _drawn_lines(block: Lines) -> "list[RenderableType]":
    from rich.padding import Padding
    from rich.text import Text

    return [Padding(Text(line), (0, 0, 0, GAP)) for line in block.lines]


def _drawn_grid(grid: Grid) -> "list[RenderableType]":
    """A group with a heading is a table of its own, so that the heading may be wider than a column."""
    from rich.padding import Padding
    from rich.text import Text

    if len(grid.groups) == 1 and not grid.groups[0][0]:
        return [Padding(_columns(grid, grid.groups[0][1], header=True), (0, 0, 0, GAP))]
    parts: list[RenderableType] = [Padding(_columns(grid, (), header=True), (0, 0, 0, 2 * GAP))]
    for heading, rows in grid.groups:
        parts.append(Padding(Text(heading, style="italic"), (0, 0, 0, GAP)))
        parts.append(Padding(_columns(grid, rows, header=False), (0, 0, 0, 2 * GAP)))
    return parts


def _columns(grid: Grid, rows: tuple[tuple[str, ...], ...], *, header: bool) -> "Table":
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, show_header=header, padding=(0, GAP, 0, 0), pad_edge=False, header_style="dim")
    for i, name in enumerate(grid.columns):
        # tables that stand below each other keep their columns in line
        width = max(len(cell) for cell in (name, *(row[i] for _, rows in grid.groups for row in rows)))
        drawn.add_column(
            Text(name),
            justify="right" if grid.numbers and i > 0 else "left",
            min_width=width if grid.groups[0][0] else None,
            overflow="fold",
        )
    for row in rows:
        drawn.add_row(*map(Text, row))
    return drawn


def _marked(page: Page) -> str:
    parts = [f"# {_escaped(page.title)}"]
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
    return " ".join(text.splitlines())
