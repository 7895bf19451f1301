"""An experiment of `dcp theory` as one HTML file: its figures above its table."""

import numpy as np
from numpy.typing import NDArray

from dcp.dynamics.page import theory_page
from dcp.dynamics.result import Figure, Result
from dcp.report.charts.curves import Curve, draw_curves
from dcp.report.html import blocks
from dcp.report.html.document import Section, document, figure, figures


def theory_html(name: str, experiment: str, result: Result) -> str:
    """The whole file."""
    page = theory_page(name, experiment, result)
    drawn = [_figure(one, i) for i, one in enumerate(result.figures)]
    return document(page.title, [Section("Figures", figures(drawn)), *blocks.sections(page)])


def _figure(one: Figure, number: int) -> str:
    lines = [
        Curve(line.label, style, np.array(line.x), _drawable(np.array(line.y), log=one.log))
        for style, line in enumerate(one.lines)
    ]
    lines = [line for line in lines if np.isfinite(line.y).any()]
    chart = draw_curves(lines, name=f"theory-{number}", title=one.title, x=one.x, y=one.y, log=one.log, whole=one.whole)
    key = [(line.style, line.label) for line in lines]
    return figure(one.title, chart, note=one.note, source="figures.csv", key=key, wide=len(key) > 12)


def _drawable(values: NDArray[np.float64], *, log: bool) -> NDArray[np.float64]:
    """The same without what has no place on a logarithmic axis."""
    return np.where(values > 0, values, np.nan) if log else values
