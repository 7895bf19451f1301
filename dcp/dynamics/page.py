"""An experiment of `dcp theory` as a page: simulated, closed form and difference, grouped by quantity; and as CSV."""

import csv
import io
from collections.abc import Iterable, Sequence

from dcp.dynamics.result import Result, Row, finite
from dcp.report.page import NOTHING, Grid, Lines, Page, count

MOST_ROWS, SHOWN = 20, 5  # of a quantity with more rows than that the worst few are shown; the CSV has all


def theory_page(name: str, experiment: str, result: Result, *, rows_only: bool = False) -> Page:
    """The table of an experiment, and its notes.

    Args:
        name: of the run.
        experiment: its name.
        result: what it came to.
        rows_only: without the notes.
    """
    columns = ("", "simulated", "closed form", "difference")
    sampled = any(row.error is not None for row in result.rows)
    quantities = dict.fromkeys(row.quantity for row in result.rows)
    groups = tuple(_group(each, [row for row in result.rows if row.quantity == each], sampled) for each in quantities)
    grid = Grid("Simulated beside closed form", (*columns, "standard error") if sampled else columns, groups)
    title = name if name == experiment else f"{name}: {experiment}"
    return Page(title, (grid, Lines("Notes", () if rows_only else result.notes)))


def _group(quantity: str, rows: list[Row], sampled: bool) -> tuple[str, tuple[tuple[str, ...], ...]]:
    if len(rows) <= MOST_ROWS:
        return quantity, tuple(_cells(row, sampled) for row in rows)
    worst = sorted(rows, key=_off, reverse=True)[:SHOWN]
    return f"{quantity}: of {count(len(rows), 'row')} those furthest off", tuple(_cells(row, sampled) for row in worst)


def _off(row: Row) -> float:
    """Relative difference; what is nearly nothing counts as a millionth, below which rounding is."""
    return abs(row.difference) / max(abs(row.closed), 1e-6)


def _cells(row: Row, sampled: bool) -> tuple[str, ...]:
    setting = ", ".join(f"{key} {_value(value)}" for key, value in row.setting.items()) or NOTHING
    known = f"{'at most ' if row.bound else ''}{row.closed:.7g}"
    cells = (setting, f"{row.simulated:.7g}", known, f"{row.difference:+.1e}")
    return (*cells, NOTHING if row.error is None else f"{row.error:.2g}") if sampled else cells


def _value(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.4g}"


def results_csv(result: Result) -> str:
    """Every row, a column for each key of the settings; an empty cell for what is not finite."""
    keys = list(dict.fromkeys(key for row in result.rows for key in row.setting))
    head = [*keys, "quantity", "simulated", "closed_form", "difference", "bound", "standard_error"]
    rows = (
        [*(row.setting.get(key, "") for key in keys), row.quantity, *map(_number, (row.simulated, row.closed,
         row.difference)), str(row.bound).lower(), _number(row.error)]
        for row in result.rows
    )  # fmt: skip
    return _csv(head, rows)


def figures_csv(result: Result) -> str:
    """Every point of every line of the figures."""
    rows = (
        [figure.title, line.label, figure.x, _number(x), figure.y, _number(y)]
        for figure in result.figures
        for line in figure.lines
        for x, y in zip(line.x, line.y, strict=True)
    )
    return _csv(["figure", "line", "x_is", "x", "y_is", "y"], rows)


def _number(value: float | None) -> float | str:
    known = finite(value)
    return "" if known is None else known


def _csv(head: list[str], rows: Iterable[Sequence[object]]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return file.getvalue()
