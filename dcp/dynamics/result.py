"""What an experiment came to, as plain values: who prints it needs no torch."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

Setting = Mapping[str, float | str]


@dataclass(frozen=True)
class Row:
    """One number twice."""

    setting: Setting  # where, as keys and values
    quantity: str  # what
    simulated: float  # by the flow, or drawn from samples
    closed_form: float  # by the closed form
    bound: bool = False  # whether the closed form is an upper bound only
    standard_error: float | None = None  # of `simulated`, where it comes from samples

    @property
    def difference(self) -> float:
        """Simulated less closed form."""
        return self.simulated - self.closed_form


@dataclass(frozen=True)
class Line:
    """A curve of a figure: simulated, or by the closed form."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Figure:
    """Curves over one axis; `log` for a logarithmic vertical one, `whole` where the horizontal one counts."""

    title: str
    x: str
    y: str
    lines: tuple[Line, ...]
    note: str = ""
    log: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Result:
    """What an experiment came to."""

    rows: tuple[Row, ...]  # simulated beside closed form
    figures: tuple[Figure, ...] = ()  # the same over time, or over a parameter
    notes: tuple[str, ...] = ()  # whole sentences: what to see, and what is derived here or unverified

    def to_dict(self) -> dict[str, Any]:
        """The rows and notes as plain values; None for a number that is not finite, as JSON has no other word."""
        numbers = ("simulated", "closed_form", "standard_error")
        rows = [{**asdict(row), **{key: finite(getattr(row, key)) for key in numbers}} for row in self.rows]
        return {"rows": rows, "notes": list(self.notes)}


def finite(value: float | None) -> float | None:
    """The value, or None where it is NaN or infinite."""
    return value if value is not None and math.isfinite(value) else None


def unrest(
    settings: Sequence[Setting], speeds: Sequence[float], most: float, quantity: str = "|dW/dt|"
) -> tuple[str, ...]:
    """A sentence that says which settings still move faster than `most` at the end, and the worst; () if none does.

    Args:
        settings: of the flows.
        speeds: of each at the end.
        most: what passes for rest.
        quantity: what the speeds are.
    """
    moving = sorted(((speed, i) for i, speed in enumerate(speeds) if not speed <= most), reverse=True)
    if not moving:
        return ()
    speed, fastest = moving[0]
    return (
        f"Not at rest at the end: {len(moving)} of {len(speeds)} runs, the fastest with {quantity} = {speed:.2g} "
        f"({in_words(settings[fastest])}). There the closed form is a limit that is not reached yet; a longer run "
        "comes nearer.",
    )


def in_words(setting: Setting) -> str:
    """A setting on one line.

    >>> in_words({"place": "inside", "eta": 0.123456})
    'place inside, eta 0.1235'
    """
    return ", ".join(f"{key} {value if isinstance(value, str) else f'{value:.4g}'}" for key, value in setting.items())
