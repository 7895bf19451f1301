"""A table of results in the forms that people take further: terminal, Markdown, LaTeX and CSV.

Shares are in percent in what is read, and in [0, 1] in CSV, which programs read: there every number is whole, and its
interval has columns of its own.
"""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass

from dcp.comparison.intervals import Interval
from dcp.report.escapes import in_latex, in_markdown, line_in_markdown
from dcp.report.page import NOTHING, Grid, one_line


@dataclass(frozen=True)
class Cell:
    """What stands in one place: words, or a number with its interval, if it has one."""

    text: str  # for people; "" for nothing
    value: float | str | None = None  # for programs
    interval: Interval | None = None


@dataclass(frozen=True)
class Column:
    """What the cells of a column are."""

    name: str  # for people
    key: str  # for programs
    number: bool = True  # set flush right, and never broken; words may go on in a further line
    interval: bool = False  # its numbers may have one
    optional: bool = False  # a terminal shows it only where there is room


@dataclass(frozen=True)
class Table:
    """Rows of cells, the first of which names the row; and what must be said below."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    def texts(self) -> list[list[str]]:
        """The cells as people read them, row by row, each on one line."""
        return [[one_line(cell.text) or NOTHING for cell in row] for row in self.rows]

    def grid(self, title: str) -> Grid:
        """The same as a block of a page."""
        return Grid(title, tuple(column.name for column in self.columns), (("", tuple(map(tuple, self.texts()))),))


def markdown(table: Table) -> str:
    """The table for GitHub's Markdown and its kin."""
    rule = ["---:" if column.number else ":---" for column in table.columns]
    head = [column.name for column in table.columns]
    rows = [map(in_markdown, head), rule, *(map(in_markdown, row) for row in table.texts())]
    text = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return f"{text}\n{line_in_markdown(table.note)}\n" if table.note else text


def latex(table: Table) -> str:
    """The table for LaTeX with booktabs."""
    sides = "".join("r" if column.number else "l" for column in table.columns)
    head, rows = [column.name for column in table.columns], table.texts()
    lines = [
        *([f"% {one_line(table.note)}"] if table.note else []),
        r"\begin{tabular}{" + sides + "}  % \\usepackage{booktabs}",
        r"\toprule",
        " & ".join(map(in_latex, head)) + r" \\",
        r"\midrule",
        *("{}" * row[0].startswith("[") + " & ".join(map(in_latex, row)) + r" \\" for row in rows),  # \\[ is a length
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def as_csv(table: Table) -> str:
    """The table for programs: whole numbers, the ends of intervals in columns of their own, nothing for none."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    ends = [("", ".low", ".high") if column.interval else ("",) for column in table.columns]
    writer.writerow([column.key + end for column, names in zip(table.columns, ends, strict=True) for end in names])
    for row in table.rows:
        values: list[float | str | None] = []
        for cell, names in zip(row, ends, strict=True):
            value = one_line(cell.value) if isinstance(cell.value, str) else cell.value
            values += (value, *(cell.interval or (None, None)))[: len(names)]
        writer.writerow(values)
    return out.getvalue()


WRITERS: dict[str, Callable[[Table], str]] = {"markdown": markdown, "latex": latex, "csv": as_csv}
