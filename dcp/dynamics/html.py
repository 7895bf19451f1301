"""An experiment of `dcp theory` as one HTML file: what one sees in two sentences, its figures, its table."""

from collections.abc import Iterator

import numpy as np

from dcp.dynamics.page import seen, theory_page
from dcp.dynamics.result import Figure, Result
from dcp.report.answer import Answer
from dcp.report.charts.colours import INKED
from dcp.report.charts.curves import Curve, draw_curves
from dcp.report.charts.heat import Heat, draw_heat
from dcp.report.html.document import Drawing, Section, chart_figure, columns, document, figures, sections
from dcp.report.html.opening import lead

SIMULATED, CLOSED = ", simulated", ", closed form"  # ends of the labels of two lines that belong together
SYMBOLS = {"sigma2": "σ²", "lambda_d": "λ_d", "eta": "η", "alpha": "α", "delta": "δ", "eps": "ε"}  # of keys
LEAST = 8  # values of either parameter, from which on a quantity over both is shown as colours


def theory_html(name: str, experiment: str, result: Result) -> str:
    """The whole file; what has no place on a logarithmic axis is left out of its figure."""
    maps = [draw for quantity in dict.fromkeys(row.quantity for row in result.rows) for draw in _map(result, quantity)]
    drawings = [*maps, *(_curves(i, each) for i, each in enumerate(result.figures))]
    page = theory_page(name, experiment, result)
    charts = Section("Figures", figures([*map(chart_figure, drawings)]))
    body = lead(Answer(seen(experiment, result), "", ())) + columns([charts, *sections(page)], "h2")
    return document(page.title, [Section("", body)])


def _curves(i: int, each: Figure) -> Drawing:
    """Simulated lines in colours; where a closed form belongs to one, it is dotted over it in ink."""
    colours = {line.label.removesuffix(SIMULATED): None for line in each.lines if line.label.endswith(SIMULATED)}
    curves, styles = [], 0
    for line in each.lines:
        pair = line.label.endswith(CLOSED) and line.label.removesuffix(CLOSED) in colours
        x, y = np.array(line.x), np.array(line.y)
        y = np.where(y > 0, y, np.nan) if each.log else y
        if np.isfinite(y).any():
            curves.append(Curve(line.label, INKED if pair else styles, x, y))
        styles += not pair
    curves.sort(key=lambda curve: curve.style == INKED)  # on top
    key = [(curve.style, curve.label.removesuffix(SIMULATED)) for curve in curves if curve.style != INKED]
    if dotted := any(curve.style == INKED for curve in curves):
        key.append((INKED, "closed form"))
    chart = draw_curves(
        curves, name=f"theory-{i}", title=each.title, x=each.x, y=each.y, log=each.log, whole=each.whole
    )
    note = f"{each.note} Colours: simulated; dotted: closed form.".strip() if dotted else each.note
    return Drawing(each.title, chart, note, "figures.csv", key, wide=len(key) > 12)


def _map(result: Result, quantity: str) -> Iterator[Drawing]:
    """A quantity over two parameters as colours, if it has a value at each place of a large grid."""
    rows = [row for row in result.rows if row.quantity == quantity]
    keys = list(rows[0].setting)
    if len(keys) != 2 or any(isinstance(value, str) for row in rows for value in row.setting.values()):
        return
    (y_is, x_is), at = keys, {tuple(row.setting.values()): row for row in rows}
    y, x = (sorted({float(row.setting[key]) for row in rows}) for key in keys)
    if min(len(x), len(y)) < LEAST or len(at) != len(x) * len(y) or min(*x, *y) <= 0:
        return

    def of(read: str) -> list[list[float]]:
        return [[getattr(at[(up, along)], read) for along in x] for up in y]

    simulated, closed = np.array(of("simulated")), np.array(of("closed_form"))
    if not np.isfinite(simulated).all() or not np.ptp(simulated):
        return
    x_is, y_is, is_ = (" ".join(SYMBOLS.get(word, word) for word in words.split()) for words in (x_is, y_is, quantity))
    heat = Heat(np.array(x), np.array(y), simulated, closed, x_is, y_is, is_)
    title = f"{is_} over {x_is} and {y_is}"
    note = "Colours: simulated. Dashed: the closed form at the same levels; where both agree, a line is an edge."
    yield Drawing(title, draw_heat(heat, name="map", title=title), note, "results.csv")
