"""What an experiment came to, as plain values: who prints it needs no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_POINTS = 200  # of a line in a figure


@dataclass(frozen=True)
class Row:
    """One number twice.

    Attributes:
        setting: where, as keys and values.
        quantity: what.
        simulated: by the flow, or drawn from samples.
        closed: by the closed form.
        bound: whether the closed form is an upper bound only.
        error: standard error of `simulated`, where it comes from samples.
    """

    setting: Mapping[str, float | str]
    quantity: str
    simulated: float
    closed: float
    bound: bool = False
    error: float | None = None

    @property
    def difference(self) -> float:
        """Simulated less closed form."""
        return self.simulated - self.closed


@dataclass(frozen=True)
class Line:
    """A curve of a figure: simulated, or by the closed form."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Figure:
    """Curves over one axis; `log` for a logarithmic vertical one."""

    title: str
    x: str
    y: str
    lines: tuple[Line, ...]
    note: str = ""
    log: bool = False


@dataclass(frozen=True)
class Result:
    """What an experiment came to.

    Attributes:
        rows: simulated beside closed form.
        figures: the same over time, or over a parameter.
        notes: whole sentences: what to see, and what is derived here or unverified.
    """

    rows: tuple[Row, ...]
    figures: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The rows and notes as plain values."""
        rows = [
            {
                **{"setting": dict(row.setting), "quantity": row.quantity, "simulated": row.simulated},
                **{"closed_form": row.closed, "bound": row.bound, "standard_error": row.error},
            }
            for row in self.rows
        ]
        return {"rows": rows, "notes": list(self.notes)}


def line(label: str, x: Sequence[float], y: Sequence[float]) -> Line:
    """A curve of at most `MOST_POINTS` points, evenly taken."""
    every = max(1, -(-len(x) // MOST_POINTS))
    return Line(label, tuple(x[::every]), tuple(y[::every]))
