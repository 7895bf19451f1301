"""What metrics.jsonl says over epochs and over time, for each arm a line and a band over its seeds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np

from dcp.report.charts.curves import Curve, Limits, draw_curves, flat
from dcp.report.html.document import Drawing, Section, bullets, chart_figure, figures
from dcp.report.html.run_files import ArmFiles, RunFiles, number
from dcp.report.page import listed, significant
from dcp.runs.json_files import Json

TIMES = {"hours": 3600.0, "minutes": 60.0, "seconds": 1.0}
MOST_POINTS = 200  # of a curve: more are less than two pixels apart

PERCENT = (0.0, 100.0)


@dataclass(frozen=True)
class Quantity:
    """A key of metrics.jsonl and its words."""

    key: str
    kind: str
    title: str
    axis: str
    factor: float = 1.0
    limits: Limits | None = None  # no value lies beyond them


ONLINE = (
    Quantity("online_knn", "epoch", "Online kNN accuracy", "top-1 of training views in %", 100.0, PERCENT),
    Quantity("online_linear", "epoch", "Online linear accuracy", "top-1 of training views in %", 100.0, PERCENT),
)
TRAINING = (
    Quantity("loss", "step", "Loss", "loss (mean of an image)"),
    *ONLINE,
    Quantity("spread", "step", "Spread of the projections", "spread, from 0 to 1", limits=(0.0, 1.0)),
    Quantity("effective_rank", "step", "Effective rank of the projections", "dimensions"),
    Quantity("invariance", "step", "Distance between the views of an image", "squared, of that between images"),
    Quantity("images_per_s", "epoch", "Speed", "images/s"),
)
TIMED = (
    Quantity("loss", "epoch", "Loss over time", "loss (mean of an epoch)"),
    *(replace(quantity, title=f"{quantity.title}, over time") for quantity in ONLINE),
)


def training(arms: Sequence[ArmFiles]) -> Section:
    """Curves over epochs, and what the arms had reached after as long a time."""
    lines = (line for arm in arms for files in arm.runs for line in files.lines["epoch"])
    longest = max((wall for line in lines if (wall := number(line.get("wall_s"))) is not None), default=0.0)
    unit = next((unit for unit, seconds in TIMES.items() if longest > 3 * seconds), "seconds")
    found = {quantity: quantity_drawing(arms, quantity, unit_of(arms)) for quantity in TRAINING}
    missing = [
        f'{quantity.title}: no run has "{quantity.key}" in its {quantity.kind} lines of metrics.jsonl.'
        for quantity, drawing in found.items()
        if drawing is None
    ]
    timed = [quantity_drawing(arms, quantity, unit) for quantity in TIMED]
    if not any(timed):
        missing.append("Training over time: no run has an epoch line with wall_s in metrics.jsonl.")
    return charted("Training", [drawing for drawing in (*found.values(), *timed) if drawing], missing)


def charted(title: str, found: Sequence[Drawing | str], missing: Sequence[str]) -> Section:
    """A section of charts, and below them the sentences about what needs none."""
    drawings = tuple(each for each in found if isinstance(each, Drawing))
    words = bullets([each for each in found if isinstance(each, str)])
    return Section(title, figures([*map(chart_figure, drawings)]) + words, tuple(missing), drawings)


def unit_of(arms: Sequence[ArmFiles]) -> str:
    """What the horizontal axis counts: epochs, or steps where a run does not say how long an epoch is."""
    return "epochs" if all(files.epoch_length for arm in arms for files in arm.runs) else "steps"


def quantity_drawing(arms: Sequence[ArmFiles], quantity: Quantity, unit: str) -> Drawing | str | None:
    """A line for each arm that has the quantity; None without any, and a sentence where all keep to one value."""
    lines = [line for arm in arms if (line := course(arm, quantity, unit)) is not None]
    if not lines:
        return None
    value = flat(lines)
    if value is not None and max(len(line.x) for line in lines) > 1:
        which = "" if len(lines) == 1 else f" in {listed([line.label for line in lines])}"
        return f"{quantity.title}: {significant(value)}{which} from end to end; what changes is rounding."
    chart = draw_curves(
        lines, name=f"{quantity.key}-{unit}", title=quantity.title, x=unit, y=quantity.axis, limits=quantity.limits
    )
    banded = any(line.low is not None for line in lines)
    note = "Mean of the seeds; the band reaches from the least to the most." if banded else ""
    timed = " and wall_s" if unit in TIMES else ""
    source = f'metrics.jsonl of each run, lines of kind "{quantity.kind}", key "{quantity.key}"{timed}'
    return Drawing(quantity.title, chart, note, source, [(line.style, line.label) for line in lines])


def course(arm: ArmFiles, quantity: Quantity, unit: str) -> Curve | None:
    """The line of an arm; None if no run of it has a number to show.

    Where seeds are of unequal length, each point is of those that have got so far.
    """
    lines = [(files, line) for files in arm.runs for line in files.lines[quantity.kind] if quantity.key in line]
    steps = thinned(sorted({line["step"] for _, line in lines}))
    by_step: dict[int, list[tuple[float, float]]] = {step: [] for step in steps}
    for files, line in lines:
        x, y = _place(files, line, unit), number(line[quantity.key])
        if line["step"] in by_step and x is not None and y is not None:
            by_step[line["step"]].append((x, quantity.factor * y))
    points = [seeds for seeds in by_step.values() if seeds]
    if not points:
        return None
    x, y = np.array([[fmean(seed[i] for seed in seeds) for seeds in points] for i in (0, 1)])
    if len(arm.runs) == 1:
        return Curve(arm.label, arm.style, x, y)
    low, high = np.array([[end(seed[1] for seed in seeds) for seeds in points] for end in (min, max)])
    return Curve(arm.label, arm.style, x, y, low, high)


def _place(files: RunFiles, line: Json, unit: str) -> float | None:
    """Where on the horizontal axis a line of metrics.jsonl belongs."""
    if unit in TIMES:
        wall = number(line.get("wall_s"))
        return None if wall is None else wall / TIMES[unit]
    length = files.epoch_length if unit == "epochs" else 1.0
    return None if length is None else (int(line["step"]) + 1) / length


def thinned(steps: list[int]) -> list[int]:
    """At most `MOST_POINTS` of them, evenly spread, both ends among them."""
    if len(steps) <= MOST_POINTS:
        return steps
    return [steps[round(i)] for i in np.linspace(0, len(steps) - 1, MOST_POINTS)]
