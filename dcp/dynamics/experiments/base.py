"""What an experiment of `dcp theory` is: the linear model simulated, and a closed form beside every number.

A variant is a file in `experiments/` with a `Config` (keys of the recipe's [theory]; `experiment` is its name) and
`run(config, seed) -> Result`. Here are the types that its keys share, and how its
numbers become rows and lines.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Annotated

import torch
from pydantic import Field, model_validator
from torch import Tensor

from dcp.catalogue import VariantConfig
from dcp.dynamics.result import Line, Row, Setting

MOST_POINTS = 200  # of a line in a figure
Values = Tensor | Sequence[float]
Rate = Annotated[float, Field(ge=0, le=10)]
Positive = Annotated[float, Field(ge=1e-3, le=100)]
Rates = Annotated[tuple[Rate, ...], Field(min_length=1, max_length=20)]
Positives = Annotated[tuple[Positive, ...], Field(min_length=1, max_length=20)]
Exponent = Annotated[float, Field(ge=0.25, le=16)]
Exponents = Annotated[tuple[Exponent, ...], Field(min_length=1, max_length=6)]


class Subspace(VariantConfig):
    """Settings with a subspace S of `kept` dimensions of `dim`, which leaves something to scramble."""

    if TYPE_CHECKING:  # each experiment has them in its own order, with its own bounds
        dim: int
        kept: int

    @model_validator(mode="after")
    def _fits(self) -> "Subspace":
        require_below("kept", self.kept, "dim", self.dim)
        return self


def require_below(name: str, value: int, other: str, most: int) -> None:
    """ValueError, in words for the reader of a recipe, unless `value` is less than `most`, the value of `other`."""
    if value >= most:
        raise ValueError(f"{name} = {value} must be less than {other} = {most}, so at most {most - 1}")


def grid(**axes: Sequence[float]) -> tuple[list[Setting], Tensor]:
    """Every combination of the values of these keys, the last key fastest: settings [N], and values [keys, N].

    >>> settings, (alpha, eta) = grid(alpha=[1.0, 0.5], eta=[0.1, 0.2])
    >>> settings[1], eta.tolist()
    ({'alpha': 1.0, 'eta': 0.2}, [0.1, 0.2, 0.1, 0.2])
    """
    points = list(product(*axes.values()))
    settings: list[Setting] = [dict(zip(axes, point, strict=True)) for point in points]
    return settings, torch.tensor(points, dtype=torch.float64).T


def rows(settings: Sequence[Setting], pairs: Mapping[str, tuple[Tensor, Tensor]], *, bound: str = "") -> list[Row]:
    """A row for each setting and quantity.

    Args:
        settings: N.
        pairs: by quantity what is simulated, and the closed form, both [N].
        bound: the quantity whose closed form is an upper bound only.
    """
    return [
        Row(setting, quantity, float(simulated[i]), float(closed[i]), bound=quantity == bound)
        for i, setting in enumerate(settings)
        for quantity, (simulated, closed) in pairs.items()
    ]


def rows_over_time(times: Tensor, pairs: Mapping[str, tuple[Tensor, Tensor]], *, bound: str = "") -> list[Row]:
    """The same of values [101] at `times` [101]: at a tenth, the middle and the end of the way."""
    at = [10, 50, 100]
    settings: list[Setting] = [{"time": time} for time in times[at].tolist()]
    return rows(
        settings, {name: (simulated[at], closed[at]) for name, (simulated, closed) in pairs.items()}, bound=bound
    )


def line(label: str, x: Values, y: Values) -> Line:
    """A curve of at most `MOST_POINTS` points, evenly taken."""
    every = max(1, -(-len(x) // MOST_POINTS))
    return Line(label, *(tuple(map(float, values[::every])) for values in (x, y)))


def two_lines(label: str, x: Values, simulated: Values, closed: Values) -> list[Line]:
    """What is simulated, and the closed form, over the same x."""
    return [line(f"{label}, simulated", x, simulated), line(f"{label}, closed form", x, closed)]
