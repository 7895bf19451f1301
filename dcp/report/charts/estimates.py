"""Values with their intervals, in rows: scores of each arm, or differences around zero."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dcp.report.charts.canvas import WIDTH, Chart, plain
from dcp.report.charts.colours import INK, PAPER, SOFT, colour
from dcp.report.charts.curves import STEPS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STEP, GAP = 0.25, 0.14  # inches between two values of a row, and between rows
MARGIN, MOST = 0.3, 0.44 * WIDTH  # inches beside labels, and of the longest of them
BELOW = 0.07  # inches from a value to its points, which it would hide
POINTS = 9  # of the letters


@dataclass(frozen=True)
class Estimate:
    """A value of one arm."""

    style: int  # which colour
    label: str  # letter of the arm, beside its line; "" where there is only one
    value: float
    interval: tuple[float, float] | None = None  # its ends; None without one
    points: tuple[float, ...] = ()  # what it is the mean of, e.g. the score of each seed
    before: float | None = None  # the same before training; None where it is not known
    undecided: bool = False  # whether it is a difference without a verdict: its dot is hollow

    def times(self, factor: float) -> "Estimate":
        """The same in another unit."""
        ends = self.interval and (factor * self.interval[0], factor * self.interval[1])
        points = tuple(factor * point for point in self.points)
        before = None if self.before is None else factor * self.before
        return replace(self, value=factor * self.value, interval=ends, points=points, before=before)


@dataclass(frozen=True)
class Row:
    """The values of one score; the table beside the chart has them in words."""

    name: str
    values: tuple[Estimate, ...]


Place = tuple[float, str, Estimate]  # inches from the top, label, value


def draw_estimates(
    rows: Sequence[Row], *, name: str, title: str, x: str, zero: bool = False, limits: tuple[float, float] | None = None
) -> Chart:
    """A chart with a line for each value, from the top down in the order given.

    Each row, and there is one at least, has a value. `name` and `title` are as in `Chart`, `x` says what the horizontal
    axis shows, with its unit. With `zero` there is a line at 0, which differences are judged by. No value lies beyond
    `limits`, and so the axis does not go there.
    """
    places, tall = _places(rows)
    left = MARGIN + max(_width(label) for _, label, _ in places)

    def paint(axes: "Axes") -> None:
        from matplotlib.ticker import MaxNLocator

        for y, _, estimate in places:
            _draw(axes, estimate, y)
        if zero:
            axes.axvline(0, color=INK, linewidth=1)
        axes.set_ylim(tall, 0)
        axes.set_yticks([y for y, _, _ in places], [label for _, label, _ in places])
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=False, axis="y")
        axes.margins(x=0.06)
        axes.set_xlabel(plain(x))
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=STEPS))
        if limits is not None:
            low, high = axes.get_xlim()
            axes.set_xlim(max(low, limits[0]), min(high, limits[1]))

    return Chart(paint, name=name, title=title, description=described(rows, x), height=tall + 0.62, left=left)


def _places(rows: Sequence[Row]) -> tuple[list[Place], float]:
    """Height and label of each value, the first of a row also with the row's name; and the height of all."""
    places, y = [], GAP / 2
    for row in rows:
        for i, estimate in enumerate(row.values):
            label = f"  {estimate.label}".rstrip()
            label = f"{_shortened(plain(row.name), label)}{label}" if i == 0 else label
            places.append((y + STEP * (i + 0.5), label.strip(), estimate))
        y += STEP * len(row.values) + GAP
    return places, places[-1][0] + STEP / 2 + GAP / 2


def fits(label: str) -> bool:
    """Whether there is room for a label, as the chart has it, beside its line."""
    return _width(label) <= MOST


def _shortened(name: str, ending: str) -> str:
    """As much of the name of a row as has room before its ending; what is left out is an ellipsis."""
    kept = name
    while kept and not fits(f"{kept}{'…' * (kept != name)}{ending}"):
        kept = kept[:-1]
    return kept if kept == name else f"{kept}…"


def _width(text: str) -> float:
    """Inches of a text in the font of the charts."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=POINTS), ismath=False)
    return float(width) / 72


def described(rows: Sequence[Row], x: str) -> str:
    """The values in words, row by row."""
    parts = []
    for row in rows:
        values = []
        for each in row.values:
            ends = f" ({each.interval[0]:.4g} to {each.interval[1]:.4g})" if each.interval else ""
            values.append(f"{each.label} {each.value:.4g}{ends}{' undecided' if each.undecided else ''}".lstrip())
        parts.append(f"{row.name}: {', '.join(values)}".removeprefix(": "))
    return f"{x}. {'; '.join(parts)}."


def _draw(axes: "Axes", estimate: Estimate, y: float) -> None:
    style = colour(estimate.style)
    if estimate.before is not None:
        axes.plot([estimate.before], [y], "|", color=SOFT, markersize=11, markeredgewidth=2, clip_on=False)
    if estimate.interval is not None:
        axes.plot(estimate.interval, (y, y), color=style, linewidth=2.2, solid_capstyle="butt", alpha=0.55)
    if len(estimate.points) > 1:
        below = [y + BELOW] * len(estimate.points)
        axes.plot(estimate.points, below, "o", color=style, markersize=3, markeredgewidth=0, alpha=0.8, clip_on=False)
    face = PAPER if estimate.undecided else style
    axes.plot([estimate.value], [y], "o", color=style, markerfacecolor=face, markersize=5.5, clip_on=False)
