"""An experiment of `dcp theory` as one HTML file: its figures above its table."""

import numpy as np

from dcp.dynamics.page import theory_page
from dcp.dynamics.result import Result
from dcp.report.charts.curves import Curve, draw_curves
from dcp.report.html.document import Section, document, figure, figures, sections


def theory_html(name: str, experiment: str, result: Result) -> str:
    """The whole file; what has no place on a logarithmic axis is left out of its figure."""
    charts = []
    for i, each in enumerate(result.figures):
        curves = []
        for style, line in enumerate(each.lines):
            x, y = np.array(line.x), np.array(line.y)
            y = np.where(y > 0, y, np.nan) if each.log else y
            curves += [Curve(line.label, style, x, y)] if np.isfinite(y).any() else []
        chart = draw_curves(
            curves, name=f"theory-{i}", title=each.title, x=each.x, y=each.y, log=each.log, whole=each.whole
        )
        key = [(curve.style, curve.label) for curve in curves]
        charts.append(figure(each.title, chart, note=each.note, source="figures.csv", key=key, wide=len(key) > 12))
    page = theory_page(name, experiment, result)
    return document(page.title, [Section("Figures", figures(charts)), *sections(page)])
