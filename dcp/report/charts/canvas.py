"""A chart's axes and their way into a page, or into a file of their own.

matplotlib writes a file of its own; a page wants a part of itself. So colours become CSS variables (the page
knows light from dark), identifiers get a prefix (several charts share a page) and only those that are referred
to stay, coordinates keep one decimal (a point is less than a pixel), and title and description are put where
screen readers look.
"""

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from dcp.report.charts.colours import INK, LINE, colour, dash_of, in_css
from dcp.runs.made_by_dcp import MARK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Key = Sequence[tuple[int, str]]  # style and label of each series
WIDTH = 5.0  # inches; 360 units of the SVG, so that 9 points are still 9 pixels on a telephone
FORMATS = ("pdf", "svg", "png")  # of files: those that matplotlib, which draws the page, writes without help
DPI = 200  # of what is no vector
_STYLE: dict[str, Any] = {
    **{"svg.fonttype": "none", "svg.hashsalt": "dcp", "text.parse_math": False, "font.size": 9, "pdf.fonttype": 42},
    **{"axes.edgecolor": INK, "axes.labelcolor": INK, "text.color": INK, "xtick.color": INK, "ytick.color": INK},
    **{"axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.6, "axes.axisbelow": True},
    **{"axes.grid": True, "grid.color": LINE, "grid.linewidth": 0.6, "lines.linewidth": 1.5},
    **{"axes.facecolor": "none", "figure.facecolor": "none", "savefig.facecolor": "none"},
    **{"axes.formatter.useoffset": False, "path.simplify": True, "figure.dpi": DPI, "savefig.dpi": DPI},
}
_METADATA: dict[str, dict[str, Any]] = {  # no date: the same runs give the same bytes
    "svg": {**dict.fromkeys(("Date", "Format", "Type")), "Creator": MARK},
    "pdf": {**dict.fromkeys(("CreationDate", "Producer")), "Creator": MARK},
    "png": {"Software": MARK},
}


def plain(text: str) -> str:
    """`text` with a question mark for each sign that the font of the charts may lack.

    >>> plain("ρ of 图")
    'ρ of ?'
    """
    return "".join(sign if sign.isprintable() and ord(sign) < 0x500 else "?" for sign in text)


@dataclass(frozen=True)
class Chart:
    """A drawing that goes into a page or a file."""

    paint: "Callable[[Axes], None]"  # draws on a pair of axes, with `colour` for series
    name: str  # of its file, and prefix of its identifiers; another for each chart of a page
    title: str  # what a screen reader says
    description: str  # what it says when asked for more
    height: float = 2.9  # in inches; the width is 5
    left: float = 0.78  # room for the labels of the vertical axis, in inches

    def svg(self) -> str:
        """The element of a page."""
        return _inline(self._written("svg", ()).decode(), self)

    def file(self, kind: str, key: Key = ()) -> bytes:
        """The chart for a paper, on white, with its key where it has several series.

        Args:
            kind: one of `FORMATS`.
            key: its series.
        """
        return self._written(kind, key if len(key) > 1 else (), tight=True)

    def _written(self, kind: str, key: Key, *, tight: bool = False) -> bytes:
        import matplotlib
        from matplotlib.figure import Figure

        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            for name, value in _STYLE.items():
                matplotlib.rcParams[name] = value  # type: ignore[index] # the keys are too many for a type
            figure = Figure(figsize=(WIDTH, self.height))
            low, right, top = 0.5, 0.15, 0.12
            width, height = (WIDTH - self.left - right) / WIDTH, (self.height - low - top) / self.height
            self.paint(figure.add_axes((self.left / WIDTH, low / self.height, width, height)))
            if key:
                _legend(figure, key)
            file = io.BytesIO()
            more: dict[str, Any] = {"bbox_inches": "tight", "facecolor": "white"} if tight else {}
            figure.savefig(file, format=kind, metadata=_METADATA[kind], **more)
        return file.getvalue()


def _legend(figure: "Figure", key: Key) -> None:
    """The key below the axes."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=colour(style), linestyle=(0, dash_of(style)) if dash_of(style) else "solid", label=label)
        for style, label in ((style, plain(label)) for style, label in key)
    ]
    columns = 2 if max(len(label) for _, label in key) > 18 else 4
    figure.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0), ncols=columns, frameon=False)


def _inline(text: str, chart: Chart) -> str:
    """What matplotlib wrote, as a part of the page."""
    head, name = f"<title>{escape(chart.title)}</title><desc>{escape(chart.description)}</desc>", chart.name
    text = text[text.index("<svg") :]
    box = re.search(r'viewBox="[^"]*"', text)
    assert box is not None, "matplotlib says how large its drawing is"
    text = text[text.index(">") + 1 : text.rindex("</svg>")]
    text = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>", "", text, flags=re.DOTALL)
    text = text.replace("xlink:href", "href")
    used = set(re.findall(r'(?:url\(|href=")#([^")]+)', text))
    text = re.sub(r' id="([^"]*)"', lambda match: f' id="{name}-{match[1]}"' if match[1] in used else "", text)
    text = re.sub(r'(url\(|href=")#', rf"\1#{name}-", text)
    text = re.sub(r'(?<= )(?:d|x|y|transform)="[^"]*"', _rounded, text)
    text = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", text)
    text = re.sub(r"#[0-9a-f]{6}\b", lambda match: in_css().get(match[0], match[0]), text)
    text = re.sub(r">\s+<", "><", text)
    return f'<svg class="chart" role="img" {box[0]} aria-label="{escape(chart.title)}">{head}{text}</svg>'


def _rounded(attribute: re.Match[str]) -> str:
    """Coordinates with one decimal, on one line."""
    text = re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.1f}".removesuffix(".0"), attribute[0])
    return " ".join(text.split())
