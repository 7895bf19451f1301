"""Curves over training or over rank, each with a band where there are several seeds."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dcp.report.charts.canvas import Chart, plain
from dcp.report.charts.colours import INKED, colour, dash_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Values = NDArray[np.float64]
FEW = 25  # points of a curve that are marked
FAINT = 0.16
STEPS = (1, 2, 2.5, 5, 10)  # between ticks
ROUNDING = 1e-5  # of a value, or of 1: float32 that went through a few sums says no more
Limits = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """One line of a chart."""

    label: str  # for the key
    style: int  # which colour and dashes
    x: Values  # [n], rising
    y: Values  # [n], NaN where the line has a gap
    low: Values | None = None  # [n], lower end of the band; None without one
    high: Values | None = None  # [n], its upper end


def draw_curves(
    lines: list[Curve],
    *,
    name: str,
    title: str,
    x: str,
    y: str,
    log: bool = False,
    whole: bool = False,
    limits: Limits | None = None,
) -> Chart:
    """A chart of these curves, at least one.

    `name` and `title` are as in `Chart`, `x` and `y` say what the axes show, with its unit. With `log` the vertical
    axis is logarithmic; with `whole` the horizontal one counts, from 1. No value lies beyond `limits`, and so the
    vertical axis does not go there.
    """

    def paint(axes: "Axes") -> None:
        for line in lines:
            style, dashes = colour(line.style), dash_of(line.style)
            linestyle = (0, dashes) if dashes else "solid"
            marker = "o" if int(np.isfinite(line.y).sum()) <= FEW else None
            thin = line.style == INKED
            axes.plot(
                line.x,
                line.y,
                color=style,
                linestyle=linestyle,
                linewidth=1.0 if thin else 1.5,
                marker=None if thin else marker,
                markersize=3.0,
                clip_on=limits is None,
            )
            if line.low is not None and line.high is not None:
                axes.fill_between(line.x, line.low, line.high, color=style, alpha=FAINT, linewidth=0)
        axes.set_xlabel(plain(x))
        axes.set_ylabel(plain(y))
        if log:
            axes.set_yscale("log")
        _ticks(axes, whole=whole, log=log)
        if limits is not None:
            low, high = axes.get_ylim()
            axes.set_ylim(max(low, limits[0]), min(high, limits[1]))

    return Chart(paint, name=name, title=title, description=described(lines, x, y))


def flat(lines: list[Curve]) -> float | None:
    """The value that all curves have from end to end, up to rounding; None where they differ.

    >>> x = np.arange(2.0)
    >>> flat([Curve("a", 0, x, x * 1e-7 + 1)]), flat([Curve("a", 0, x, x)])
    (1.0, None)
    """
    values = np.concatenate([part for line in lines for part in (line.y, line.low, line.high) if part is not None])
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return round((low + high) / 2, 5) if high - low <= ROUNDING * max(1.0, abs(low), abs(high)) else None


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

    axes.xaxis.set_major_locator(MaxNLocator(6, integer=whole, steps=STEPS))
    if log:
        axes.yaxis.set_major_locator(LogLocator(numticks=6))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(power))
        return
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=STEPS))
    formatter = ScalarFormatter(useOffset=False)
    formatter.set_powerlimits((-3, 5))
    axes.yaxis.set_major_formatter(formatter)
