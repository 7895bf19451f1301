"""A quantity over two parameters as colours, with the lines of a second one on it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dcp.report.charts.canvas import Chart, plain
from dcp.report.charts.curves import power

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Values = NDArray[np.float64]
LEVELS = 10  # at most, between colours


@dataclass(frozen=True)
class Heat:
    """What is shown, over two parameters."""

    x: Values  # [n], rising, positive
    y: Values  # [m], rising, positive
    colours: Values  # [m, n], as colours
    lines: Values  # [m, n], as lines at the levels where the colours change
    x_is: str
    y_is: str
    is_: str  # what the colours are


def draw_heat(heat: Heat, *, name: str, title: str) -> Chart:
    """A chart of it, both axes logarithmic; `name` and `title` are as in `Chart`.

    The colours have levels, and the lines are at the same levels: where both say the same, a line is the edge between
    two colours.
    """
    levels = between(float(np.nanmin(heat.colours)), float(np.nanmax(heat.colours)))

    def paint(axes: "Axes") -> None:
        import matplotlib
        from matplotlib.colors import BoundaryNorm, ListedColormap
        from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

        light = matplotlib.colormaps["viridis"](np.linspace(0.25, 1, 256))  # enough for lines in black
        colours = ListedColormap(light)
        norm = BoundaryNorm(levels, colours.N, extend="both")
        mesh = axes.contourf(heat.x, heat.y, heat.colours, levels, cmap=colours, norm=norm, extend="both")
        axes.contour(heat.x, heat.y, heat.lines, levels, colors="black", linewidths=0.9, linestyles=[(0, (4, 2))])
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.grid(visible=False)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(FuncFormatter(power))
            axis.set_minor_formatter(NullFormatter())
        axes.set_xlabel(plain(heat.x_is))
        axes.set_ylabel(plain(heat.y_is))
        figure = axes.get_figure(root=True)
        assert figure is not None
        bar = figure.colorbar(mesh, ax=axes, ticks=levels, format=FuncFormatter(power))
        bar.set_label(plain(heat.is_))

    low, high = float(np.nanmin(heat.colours)), float(np.nanmax(heat.colours))
    words = f"{heat.is_} over {heat.x_is} and {heat.y_is}: from {low:.4g} to {high:.4g}."
    return Chart(paint, name=name, title=title, description=words, height=3.4)


def between(low: float, high: float) -> list[float]:
    """Levels between two values: 1, 2 and 5 of each decade, or even steps where these are too few or too many.

    >>> between(0.009, 0.3)
    [0.01, 0.02, 0.05, 0.1, 0.2]
    """
    if low > 0:
        decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
        levels = [float(f"{digit}e{decade}") for decade in decades for digit in (1, 2, 5)]
        inside = [level for level in levels if low < level < high]
        if 3 <= len(inside) <= LEVELS:
            return inside
    return [float(level) for level in np.linspace(low, high, LEVELS + 2)[1:-1]]
