"""Curves over training or over rank, each with a band where there are several seeds."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dcp.report.charts.canvas import colour, dash_of, plain, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Values = NDArray[np.float64]
FEW = 25  # points of a curve that are marked
FAINT = 0.16


@dataclass(frozen=True)
class Curve:
    """One line of a chart."""

    label: str  # for the key
    style: int  # which colour and dashes
    x: Values  # [n], rising
    y: Values  # [n], NaN where the line has a gap
    low: Values | None = None  # [n], lower end of the band; None without one
    high: Values | None = None  # [n], its upper end
    strength: float = 1.0  # opacity in (0, 1], for lines that share a colour


def draw_curves(
    lines: list[Curve], *, name: str, title: str, x: str, y: str, log: bool = False, whole: bool = False
) -> str:
    """An SVG with these curves, at least one.

    `name` and `title` are as in `svg`, `x` and `y` say what the axes show, with its unit. With `log` the vertical axis
    is logarithmic; with `whole` the horizontal one counts, from 1.
    """

    def paint(axes: "Axes") -> None:
        for line in lines:
            style, dashes = colour(line.style), dash_of(line.style)
            linestyle = (0, dashes) if dashes else "solid"
            marker = "o" if int(np.isfinite(line.y).sum()) <= FEW else None
            axes.plot(
                line.x, line.y, color=style, linestyle=linestyle, alpha=line.strength, marker=marker, markersize=3.0
            )
            if line.low is not None and line.high is not None:
                axes.fill_between(line.x, line.low, line.high, color=style, alpha=FAINT, linewidth=0)
        axes.set_xlabel(plain(x))
        axes.set_ylabel(plain(y))
        if log:
            axes.set_yscale("log")
        _ticks(axes, whole=whole, log=log)

    return svg(paint, name=name, title=title, description=described(lines, x, y))


def described(lines: list[Curve], x: str, y: str) -> str:
    """In words where each curve begins and ends."""
    parts = []
    for line in lines:
        first, last = np.flatnonzero(np.isfinite(line.y))[[0, -1]]
        span = f"from {line.y[first]:.4g} at {line.x[first]:.4g} to {line.y[last]:.4g} at {line.x[last]:.4g}"
        parts.append(f"{line.label}: {span}")
    return f"{y} over {x}. {'; '.join(parts)}."


def power(value: float, _: int | None = None) -> str:
    """A tick of a logarithmic axis.

    >>> power(0.01), power(1e-7), power(1e6)
    ('0.01', '1e-7', '1e+6')
    """
    return f"{value:g}".replace("e-0", "e-").replace("e+0", "e+")


def _ticks(axes: "Axes", *, whole: bool, log: bool) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator, ScalarFormatter

    axes.xaxis.set_major_locator(MaxNLocator(6, integer=whole))
    if log:
        axes.yaxis.set_major_locator(LogLocator(numticks=6))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(power))
        return
    axes.yaxis.set_major_locator(MaxNLocator(6))
    formatter = ScalarFormatter(useOffset=False)
    formatter.set_powerlimits((-3, 5))
    axes.yaxis.set_major_formatter(formatter)
