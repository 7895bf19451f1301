"""Draws a page for a terminal of any width: lines without spaces at their end, and never a character lost.

A grid keeps as many of its columns as fit; what no longer fits stands below its row, under the name of its column.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

from dcp.report.page import Grid, Lines, Page, one_line

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

GAP = 2  # columns between two cells, and of indentation
TITLE, HEADING, GROUP, HEADER, PLAIN = "bold", "bold cyan", "italic", "dim", ""
Line = tuple[str, str]  # text and style


@dataclass(frozen=True)
class TerminalPage:
    """A page that rich draws to the width of its console."""

    page: Page

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        from rich.text import Text

        for text, style in lines(self.page, options.max_width):
            yield Text(text, style=style)


def lines(page: Page, width: int) -> Iterator[Line]:
    """The lines of a page for so many columns, and the style of each; a single word that is wider is broken."""
    yield from _wrapped(one_line(page.title), width, 0, TITLE)
    for block in page.content():
        yield "", PLAIN
        if block.title:
            yield from _wrapped(block.title, width, 0, HEADING)
        if isinstance(block, Lines):
            for line in block.lines:
                yield from _wrapped(line, width, GAP)
        else:
            yield from _grid(block, width)


def _grid(grid: Grid, width: int) -> Iterator[Line]:
    """All groups under one header, with their columns in line: the first in any case, and as many more as fit."""
    indent = 2 * GAP if any(heading for heading, _ in grid.groups) else GAP
    every = [grid.columns, *(row for _, rows in grid.groups for row in rows)]
    sizes = [max(map(len, cells)) for cells in zip(*every, strict=True)]
    sizes = [size for i, size in enumerate(sizes) if i == 0 or sum(sizes[: i + 1]) + i * GAP <= width - indent]
    header = _in_line(grid.columns, sizes, grid.numbers)
    if header.strip():
        yield " " * indent + header, HEADER
    for heading, rows in grid.groups:
        if heading:
            yield from _wrapped(heading, width, GAP, GROUP)
        for row in rows:
            if len(sizes) > 1:
                yield " " * indent + _in_line(row, sizes, grid.numbers), PLAIN
            else:
                yield from _wrapped(row[0], width, indent)
            for name, cell in zip(grid.columns[len(sizes) :], row[len(sizes) :], strict=True):
                if cell:
                    yield from _wrapped(f"{name}: {cell}", width, indent + GAP)


def _in_line(row: tuple[str, ...], sizes: list[int], numbers: bool) -> str:
    cells = zip(row, sizes, strict=False)  # what has no size stands below
    words = (cell.rjust(size) if numbers and i else cell.ljust(size) for i, (cell, size) in enumerate(cells))
    return (" " * GAP).join(words).rstrip()


def _wrapped(text: str, width: int, indent: int, style: str = PLAIN) -> Iterator[Line]:
    """`text` in lines broken between words, those after the first a step further in."""
    room = max(width - indent - GAP, 1)
    first, *rest = wrap(text, max(width - indent, 1), break_on_hyphens=False) or [""]
    yield " " * indent + first, style
    for line in wrap(text[len(first) :].strip(), room, break_on_hyphens=False) if rest else []:
        yield " " * (indent + GAP) + line, style
