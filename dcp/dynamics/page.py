"""An experiment of `dcp theory` as a page: simulated, closed form and difference, grouped by quantity; and as CSV."""

import csv
import io
import math
from collections.abc import Iterable, Sequence

from dcp import catalogue
from dcp.dynamics.result import Result, Row, finite, in_words
from dcp.report.page import NOTHING, Grid, Lines, Page, count, listed

MOST_ROWS, SHOWN = 20, 5  # of a quantity with more rows than that the worst few are shown; the CSV has all

ROUNDING = 1e-9  # by which a bound may be passed


def theory_page(name: str, experiment: str, result: Result, *, rows_only: bool = False) -> Page:
    """The table of an experiment, and its notes.

    Args:
        name: of the run.
        experiment: its name.
        result: what it came to.
        rows_only: without the notes.
    """
    sampled = any(row.standard_error is not None for row in result.rows)
    groups = []
    for quantity in dict.fromkeys(row.quantity for row in result.rows):
        rows, heading = [row for row in result.rows if row.quantity == quantity], quantity
        if len(rows) > MOST_ROWS:
            heading = f"{quantity}: of {count(len(rows), 'row')} those furthest off"
            rows = sorted(rows, key=relative_difference, reverse=True)[:SHOWN]
        groups.append((heading, tuple(_cells(row, sampled=sampled) for row in rows)))
    columns = ("", "simulated", "closed form", "difference", *(["standard error"] if sampled else []))
    grid = Grid("Simulated beside closed form", columns, tuple(groups))
    title = name if name == experiment else f"{name}: {experiment}"
    return Page(title, (grid, Lines("Notes", () if rows_only else result.notes)))


def seen(experiment: str, result: Result) -> str:
    """In two sentences what the experiment shows, and how near the simulation comes to the closed form."""
    words = " ".join((catalogue.load("experiments", experiment).__doc__ or "").partition("\n\n")[0].split())
    equal = [row for row in result.rows if not row.bound and math.isfinite(row.difference)]
    bounds = [row for row in result.rows if row.bound]
    parts = []
    if errors := [abs(row.difference) / row.standard_error for row in equal if row.standard_error]:
        parts.append(f"{count(len(errors), 'number')} from samples lie within {max(errors):.1f} standard errors of it")
    elif numbers := [row for row in equal if row.closed_form]:
        worst = max(map(relative_difference, numbers))
        digits = 15 if worst < 1e-15 else int(-math.log10(worst))
        how = f"to {digits} digits" if digits >= 4 else f"within {100 * worst:.1g} %"
        parts.append(f"{count(len(numbers), 'simulated number')} agree{'s' * (len(numbers) == 1)} with it {how}")
    if zeros := [abs(row.simulated) for row in equal if not row.closed_form and not errors]:
        what = "one that should be 0 is" if len(zeros) == 1 else f"{count(len(zeros))} that should be 0 are"
        parts.append(f"{what} at most {max(zeros):.1g}")
    if bounds:
        held = sum(row.difference <= ROUNDING * max(1.0, abs(row.closed_form)) for row in bounds)
        parts.append(f"{held} of {count(len(bounds), 'number')} keep to a bound")
    return f"{words} Beside the closed form: {listed(parts)}." if parts else words


def relative_difference(row: Row) -> float:
    """How far the simulation is off; what is nearly nothing counts as a millionth, below which is rounding."""
    return abs(row.difference) / max(abs(row.closed_form), 1e-6)


def _cells(row: Row, *, sampled: bool) -> tuple[str, ...]:
    closed_form = f"{'at most ' if row.bound else ''}{row.closed_form:.7g}"
    cells = (in_words(row.setting) or NOTHING, f"{row.simulated:.7g}", closed_form, f"{row.difference:+.1e}")
    return (*cells, NOTHING if row.standard_error is None else f"{row.standard_error:.2g}") if sampled else cells


def results_csv(result: Result) -> str:
    """Every row, a column for each key of the settings; an empty cell for what is not finite."""
    keys = list(dict.fromkeys(key for row in result.rows for key in row.setting))
    head = [*keys, "quantity", "simulated", "closed_form", "difference", "bound", "standard_error"]
    rows = (
        [*(row.setting.get(key) for key in keys), row.quantity, *map(finite, (row.simulated, row.closed_form,
         row.difference)), str(row.bound).lower(), finite(row.standard_error)]
        for row in result.rows
    )  # fmt: skip
    return _csv(head, rows)


def figures_csv(result: Result) -> str:
    """Every point of every line of the figures; an empty cell for what is not finite."""
    rows = (
        [figure.title, line.label, figure.x, finite(x), figure.y, finite(y)]
        for figure in result.figures
        for line in figure.lines
        for x, y in zip(line.x, line.y, strict=True)
    )
    return _csv(["figure", "line", "x_is", "x", "y_is", "y"], rows)


def _csv(head: list[str], rows: Iterable[Sequence[object]]) -> str:
    """The table as text; None is an empty cell."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return file.getvalue()
