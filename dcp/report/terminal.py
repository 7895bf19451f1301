"""Draws a page for a terminal of any width: lines without spaces at their end, and never a character lost.

A grid keeps as many of its columns as fit; what no longer fits stands below its row, under the name of its column.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

from dcp.report.page import NOTHING, Grid, Lines, Page, one_line
from dcp.report.paragraphs import paragraph
from dcp.report.tables import Column, Table

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
    if page.title:
        yield from _wrapped(one_line(page.title), width, 0, TITLE)
    for i, block in enumerate(page.content()):
        if page.title or i:
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
                if cell not in ("", NOTHING):
                    yield from _wrapped(f"{name}: {cell}", width, indent + GAP)


def _in_line(row: tuple[str, ...], sizes: list[int], numbers: bool) -> str:
    cells = zip(row, sizes, strict=False)  # what has no size stands below
    words = (cell.rjust(size) if numbers and i else cell.ljust(size) for i, (cell, size) in enumerate(cells))
    return (" " * GAP).join(words).rstrip()


def _wrapped(text: str, width: int, indent: int, style: str = PLAIN) -> Iterator[Line]:
    """`text` in lines broken between words, those after the first a step further in."""
    for line in paragraph(" " * indent + text.strip(), width, whole=False):
        yield line, style


@dataclass(frozen=True)
class TerminalTable:
    """Sentences and a table below them, that rich draws to the width of its console."""

    sentences: tuple[str, ...]
    table: Table

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        from rich.text import Text

        width = options.max_width
        for i, sentence in enumerate(self.sentences):  # the first is the answer
            for text, style in _wrapped(one_line(sentence), width, 0, PLAIN if i else TITLE):
                yield Text(text.strip() if i else text, style=style)
        if self.sentences:
            yield Text("")
        for text, style in table_lines(self.table, width):
            yield Text(text, style=style)


def table_lines(table: Table, width: int) -> Iterator[Line]:
    """The lines of a table for so many columns, and the style of each.

    Where it is too wide, words go on in a further line; then the name of a row stands above its numbers; then the last
    columns stand below, under their name. No number is broken, and no word that fits into a line.
    """
    texts = table.texts()
    sizes = [_size(column, [row[i] for row in texts]) for i, column in enumerate(table.columns)]
    kept = [i for i, column in enumerate(table.columns) if not column.optional]
    for i, column in enumerate(table.columns):
        if column.optional and _total(sizes, [*kept, i]) <= width:
            kept = sorted([*kept, i])
    words = [i for i in kept[1:] if not table.columns[i].number]
    for i in words[-1:]:
        least = _size(table.columns[i], [word for row in texts for word in row[i].split()])
        sizes[i] = max(least, sizes[i] - max(0, _total(sizes, kept) - width))
    in_line, indent = kept, 0
    if _total(sizes, kept) > width:
        in_line, indent = kept[1:], GAP
        while _total(sizes, in_line) > width - indent and in_line[1:]:
            in_line = in_line[:-1]
    below = [i for i in kept[1:] if i not in in_line]

    def drawn(cells: Sequence[str]) -> list[str]:
        return _cells([cells[i] for i in in_line], [sizes[i] for i in in_line], [table.columns[i] for i in in_line])

    for line in drawn([column.name for column in table.columns]):
        yield " " * indent + line, HEADER
    for row in texts:
        if in_line != kept:
            yield from _wrapped(row[0], width, 0)
        for line in drawn(row):
            yield " " * indent + line, PLAIN
        for i in below:
            if row[i] != NOTHING:
                yield from _wrapped(f"{table.columns[i].name}: {row[i]}", width, indent)
    if table.note:
        yield from _wrapped(table.note, width, 0, HEADER)


def _size(column: Column, texts: list[str]) -> int:
    """Of a column that holds these texts in one line each, and each word of its name."""
    return max(map(len, (*texts, *column.name.split())))


def _total(sizes: list[int], kept: list[int]) -> int:
    return sum(sizes[i] + GAP for i in kept) - GAP


def _cells(texts: list[str], sizes: list[int], columns: list[Column]) -> list[str]:
    """The lines of one row, in which some texts may have several."""
    every = [wrap(text, size, break_on_hyphens=False) or [""] for text, size in zip(texts, sizes, strict=True)]
    lines = []
    for i in range(max(map(len, every))):
        words = [text[i] if i < len(text) else "" for text in every]
        placed = zip(words, sizes, columns, strict=True)
        cells = (word.rjust(size) if column.number else word.ljust(size) for word, size, column in placed)
        lines.append((" " * GAP).join(cells).rstrip())
    return lines
