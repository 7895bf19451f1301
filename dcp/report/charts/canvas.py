"""A chart's axes and their way into a page.

matplotlib writes a file of its own; a page wants a part of itself. So colours become CSS variables (the page
knows light from dark), identifiers get a prefix (several charts share a page) and only those that are referred
to stay, coordinates keep one decimal (a point is less than a pixel), and title and description are put where
screen readers look.
"""

import io
import re
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 5.0  # inches; 360 units of the SVG, so that 9 points are still 9 pixels on a telephone
COLOURS = 8
DASHES: tuple[tuple[float, ...], ...] = ((), (6, 2), (2, 1.5), (7, 2, 1.5, 2))
# stand-ins, unlike any colour that matplotlib writes by itself
_SERIES = tuple(f"#a0b0c{i}" for i in range(COLOURS))
INK, LINE, PAPER = "#a0b0d0", "#a0b0d1", "#a0b0d2"
_CSS = {INK: "currentColor", LINE: "var(--line)", PAPER: "var(--paper)"}
_CSS |= {colour: f"var(--s{i})" for i, colour in enumerate(_SERIES)}
_STYLE: dict[str, Any] = {
    **{"svg.fonttype": "none", "svg.hashsalt": "dcp", "text.parse_math": False, "font.size": 9},
    **{"axes.edgecolor": INK, "axes.labelcolor": INK, "text.color": INK, "xtick.color": INK, "ytick.color": INK},
    **{"axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.6, "axes.axisbelow": True},
    **{"axes.grid": True, "grid.color": LINE, "grid.linewidth": 0.6, "lines.linewidth": 1.5},
    **{"axes.facecolor": "none", "figure.facecolor": "none", "savefig.facecolor": "none"},
    **{"axes.formatter.useoffset": False, "path.simplify": True},
}
_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))


def colour(style: int) -> str:
    """The stand-in for the colour of series `style`; from the ninth on they come again, with other dashes."""
    return _SERIES[style % COLOURS]


def dash_of(style: int) -> tuple[float, ...]:
    """Lengths of line and gap of series `style`; () is a solid line."""
    return DASHES[(style + style // COLOURS) % len(DASHES)]


def swatch(style: int) -> str:
    """A short line in colour and dashes of series `style`, for the key below a chart."""
    dashes = f' stroke-dasharray="{" ".join(map(str, dash_of(style)))}"' if dash_of(style) else ""
    line = f'<line x1="0" x2="26" y1="5" y2="5" stroke="var(--s{style % COLOURS})" stroke-width="2.5"{dashes}/>'
    return f'<svg class="swatch" viewBox="0 0 26 10" aria-hidden="true">{line}</svg>'


def plain(text: str) -> str:
    """`text` with a question mark for each sign that the font of the charts may lack.

    >>> plain("ρ of 图")
    'ρ of ?'
    """
    return "".join(sign if sign.isprintable() and ord(sign) < 0x500 else "?" for sign in text)


def svg(
    paint: "Callable[[Axes], None]", *, name: str, title: str, description: str, height: float = 2.9, left: float = 0.78
) -> str:
    """The SVG element of what `paint` draws on a pair of axes.

    Args:
        paint: draws, with `colour` for series.
        name: prefix of its identifiers; another for each chart of a page.
        title: what a screen reader says.
        description: what it says when asked for more.
        height: in inches; the width is 5.
        left: room for the labels of the vertical axis, in inches.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        for key, value in _STYLE.items():
            matplotlib.rcParams[key] = value  # type: ignore[index] # the keys are too many for a type
        figure = Figure(figsize=(WIDTH, height))
        FigureCanvasSVG(figure)
        low, right, top = 0.5, 0.15, 0.12
        box = (left / WIDTH, low / height, (WIDTH - left - right) / WIDTH, (height - low - top) / height)
        paint(figure.add_axes(box))
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata=_NO_METADATA)
    return _inline(file.getvalue(), name, title, description)


def _inline(text: str, name: str, title: str, description: str) -> str:
    """What matplotlib wrote, as a part of the page."""
    head = f"<title>{escape(title)}</title><desc>{escape(description)}</desc>"
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
    for stand_in, css in _CSS.items():
        text = text.replace(stand_in, css)
    text = re.sub(r">\s+<", "><", text)
    return f'<svg class="chart" role="img" {box[0]} aria-label="{escape(title)}">{head}{text}</svg>'


def _rounded(attribute: re.Match[str]) -> str:
    """Coordinates with one decimal, on one line."""
    text = re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.1f}".removesuffix(".0"), attribute[0])
    return " ".join(text.split())
