"""What metrics.jsonl says over epochs and over time, for each arm a line and a band over its seeds."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np

from dcp.report.charts.curves import Curve, draw_curves
from dcp.report.html.document import Section, figure, figures
from dcp.report.html.run_files import Source, Told, number
from dcp.runs.json_files import Json

TIMES = {"hours": 3600.0, "minutes": 60.0, "seconds": 1.0}
MOST_POINTS = 200  # of a curve: more are less than two pixels apart
Point = tuple[int, float, float]  # step, place on the horizontal axis, value
Place = Callable[[Json], float | None]  # where on the horizontal axis a line belongs


@dataclass(frozen=True)
class Quantity:
    """A key of metrics.jsonl and its words."""

    key: str
    kind: str
    title: str
    axis: str
    factor: float = 1.0


ONLINE = (
    Quantity("online_knn", "epoch", "Online nearest-neighbour accuracy", "top-1 of training views in %", 100.0),
    Quantity("online_linear", "epoch", "Online linear accuracy", "top-1 of training views in %", 100.0),
)
TRAINING = (
    Quantity("loss", "step", "Loss", "loss (mean of an image)"),
    *ONLINE,
    Quantity("spread", "step", "Spread of the projections", "spread, from 0 to 1"),
    Quantity("effective_rank", "step", "Effective rank of the projections", "dimensions"),
    Quantity("invariance", "step", "Distance between the views of an image", "squared, share of that between images"),
    Quantity("images_per_s", "epoch", "Speed", "images/s"),
)
TIMED = (
    Quantity("loss", "epoch", "Loss over time", "loss (mean of an epoch)"),
    *(replace(one, title=f"{one.title}, over time") for one in ONLINE),
)


def training(sources: Sequence[Source]) -> Section:
    """Curves over epochs."""
    return _section("Training", sources, TRAINING, unit_of(sources))


def over_time(sources: Sequence[Source]) -> Section:
    """The same over the time of training, for what the quantities above have."""
    told = [told for source in sources for told in source.runs]
    times = [
        seconds for one in told for line in one.lines["epoch"] if (seconds := number(line.get("wall_s"))) is not None
    ]
    unit = next((unit for unit, length in TIMES.items() if max(times, default=0.0) > 3 * length), "seconds")
    shown = _section("Training over time", sources, TIMED, unit)
    missing = () if shown.body else ("Training over time: no run has an epoch line with wall_s in metrics.jsonl.",)
    return Section(shown.title, shown.body, missing)


def unit_of(sources: Sequence[Source]) -> str:
    """What the horizontal axis counts: epochs, or steps where a run does not say how long an epoch is."""
    return "epochs" if all(told.epoch_length for source in sources for told in source.runs) else "steps"


def _section(title: str, sources: Sequence[Source], quantities: Sequence[Quantity], unit: str) -> Section:
    drawn, missing = [], []
    for one in quantities:
        lines = [line for source in sources if (line := course(source, one, unit)) is not None]
        if lines:
            drawn.append(_figure(one, lines, sources, unit))
        else:
            missing.append(f'{one.title}: no run has "{one.key}" in its {one.kind} lines of metrics.jsonl.')
    return Section(title, figures(drawn), tuple(missing))


def _figure(one: Quantity, lines: list[Curve], sources: Sequence[Source], unit: str) -> str:
    name = f"{one.key}-{unit}"
    chart = draw_curves(lines, name=name, title=one.title, x=unit, y=one.axis)
    banded = any(line.low is not None for line in lines)
    note = "Mean of the seeds; the band reaches from the least to the most." if banded else ""
    where = f'metrics.jsonl of each run, lines of kind "{one.kind}", key "{one.key}"'
    where += " and wall_s" if unit in TIMES else ""
    return figure(one.title, chart, note=note, source=where, key=[(line.style, line.label) for line in lines])


def course(source: Source, one: Quantity, unit: str) -> Curve | None:
    """The line of an arm; None if no run of it has a number to show.

    Where seeds are of unequal length, each point is of those that have got so far.
    """
    shown = thinned(sorted({line["step"] for told in source.runs for line in told.lines[one.kind] if one.key in line}))
    by_step: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for told in source.runs:
        for step, x, y in points(told, one, unit, frozenset(shown)):
            by_step[step].append((x, y))
    steps = [step for step in shown if step in by_step]
    if not steps:
        return None
    x, y = np.array([[fmean(pair[i] for pair in by_step[step]) for step in steps] for i in (0, 1)])
    if len(source.runs) == 1:
        return Curve(source.label, source.style, x, y)
    low, high = np.array([[end(pair[1] for pair in by_step[step]) for step in steps] for end in (min, max)])
    return Curve(source.label, source.style, x, y, low, high)


def points(told: Told, one: Quantity, unit: str, steps: frozenset[int] | None = None) -> list[Point]:
    """Step, place and value of each line of a run that has the quantity, or of those at `steps` alone."""
    place = _place(told, unit)
    found = []
    for line in told.lines[one.kind]:
        if steps is not None and line["step"] not in steps:
            continue
        x, y = place(line), number(line.get(one.key))
        if x is not None and y is not None:
            found.append((line["step"], x, one.factor * y))
    return found


def _place(told: Told, unit: str) -> Place:
    if unit in TIMES:
        return lambda line: None if (wall := number(line.get("wall_s"))) is None else wall / TIMES[unit]
    length = told.epoch_length if unit == "epochs" else 1.0
    return lambda line: None if length is None else (int(line["step"]) + 1) / length


def thinned(steps: list[int]) -> list[int]:
    """At most `MOST_POINTS` of them, evenly spread, both ends among them."""
    if len(steps) <= MOST_POINTS:
        return steps
    return [steps[round(i)] for i in np.linspace(0, len(steps) - 1, MOST_POINTS)]
