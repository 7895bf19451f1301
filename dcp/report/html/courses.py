"""What metrics.jsonl says over epochs and over time, for each arm a line and a band over its seeds."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dcp.report.charts import Curve, curves
from dcp.report.html.document import Section, figure, figures
from dcp.report.html.sources import Source, Told
from dcp.run.records import Json

TIMES = {"hours": 3600.0, "minutes": 60.0, "seconds": 1.0}
MOST_POINTS = 200  # of a curve: more are less than two pixels apart
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
    Quantity("online_knn", "epoch", "Nearest-neighbour accuracy during training", "top-1 in %", 100.0),
    Quantity("online_linear", "epoch", "Linear accuracy during training", "top-1 in %", 100.0),
)
TRAINING = (
    Quantity("loss", "step", "Loss", "loss (mean of an image)"),
    *ONLINE,
    Quantity("spread", "step", "Spread of the projections", "spread, from 0 to 1"),
    Quantity("effective_rank", "step", "Effective rank of the projections", "dimensions"),
    Quantity("images_per_s", "epoch", "Speed", "images/s"),
)
TIMED = (
    Quantity("loss", "epoch", "Loss over time", "loss (mean of an epoch)"),
    *(replace(one, title=f"{one.title}, over time") for one in ONLINE),
)


def training(sources: Sequence[Source]) -> Section:
    """Curves over epochs, or over steps where a run does not say how long an epoch is."""
    lengths = [epoch_length(told) for source in sources for told in source.runs]
    unit = "epochs" if all(lengths) else "steps"
    return _section("Training", sources, TRAINING, unit)


def over_time(sources: Sequence[Source]) -> Section:
    """The same over the time of training, for what the quantities above have."""
    told = [told for source in sources for told in source.runs]
    times = [seconds for one in told for line in one.lines if (seconds := number(line.get("wall_s"))) is not None]
    unit = next((unit for unit, length in TIMES.items() if max(times, default=0.0) > 3 * length), "seconds")
    shown = _section("Training over time", sources, TIMED, unit)
    missing = () if shown.body else ("Training over time: no run has an epoch line with wall_s in metrics.jsonl.",)
    return Section(shown.title, shown.body, missing)


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
    chart = curves(lines, name=name, title=one.title, x=unit, y=one.axis)
    banded = any(line.low is not None for line in lines)
    note = "Mean of the seeds; the band reaches from the least to the most." if banded else ""
    where = f'metrics.jsonl of each run, lines of kind "{one.kind}", key "{one.key}"'
    where += " and wall_s" if unit in TIMES else ""
    return figure(one.title, chart, note=note, source=where, key=[(line.style, line.label) for line in lines])


def course(source: Source, one: Quantity, unit: str) -> Curve | None:
    """The line of an arm; None if no run of it has a number to show.

    Where seeds are of unequal length, each point is of those that have got so far.
    """
    by_step: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for told in source.runs:
        for step, x, y in points(told, one, unit):
            by_step[step].append((x, y))
    if not by_step:
        return None
    steps = thinned(sorted(by_step))
    x, y = np.array([np.mean(by_step[step], axis=0) for step in steps]).T
    if len(source.runs) == 1:
        return Curve(source.label, source.style, x, y)
    low, high = np.array([[end(pair[1] for pair in by_step[step]) for end in (min, max)] for step in steps]).T
    return Curve(source.label, source.style, x, y, low, high)


def points(told: Told, one: Quantity, unit: str) -> list[tuple[int, float, float]]:
    """Step, place and value of each line of a run that has the quantity."""
    place = _place(told, unit)
    found = []
    for line in told.lines:
        step, x, y = line.get("step"), place(line), number(line.get(one.key))
        if line.get("kind") == one.kind and isinstance(step, int) and x is not None and y is not None:
            found.append((step, x, one.factor * y))
    return found


def _place(told: Told, unit: str) -> Place:
    if unit in TIMES:
        return lambda line: None if (wall := number(line.get("wall_s"))) is None else wall / TIMES[unit]
    length = epoch_length(told) if unit == "epochs" else 1.0
    return lambda line: None if length is None else (number(line.get("step")) or 0.0) / length + 1 / length


def epoch_length(told: Told) -> float | None:
    """Steps of an epoch; None where neither a finished epoch nor run.json with the recipe says so."""
    ends = [line for line in told.lines if line.get("kind") == "epoch"]
    step, epoch = (number(ends[-1].get(key)) if ends else None for key in ("step", "epoch"))
    if step is not None and epoch is not None:
        return (step + 1) / (epoch + 1)
    steps = told.run.record.get("steps")
    epochs = (told.run.recipe().get("train") or {}).get("epochs")
    return steps / epochs if steps and epochs else None


def thinned(steps: list[int]) -> list[int]:
    """At most `MOST_POINTS` of them, evenly spread, both ends among them."""
    if len(steps) <= MOST_POINTS:
        return steps
    return [steps[round(i)] for i in np.linspace(0, len(steps) - 1, MOST_POINTS)]


def number(value: object) -> float | None:
    """The value, if it is one."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
