"""Accuracy at equal time: what each arm had reached when the quickest one was done."""

from collections.abc import Sequence
from statistics import fmean

from dcp.report.html.blocks import grid
from dcp.report.html.courses import ONLINE, Point, Quantity, points
from dcp.report.html.document import Section, paragraph
from dcp.report.html.sources import Source, Told
from dcp.report.page import Grid, duration, figure

SHARES = {0.25: "a quarter of it", 0.5: "half of it", 1.0: "all of it"}  # of the time of the quickest arm


def equal_time(sources: Sequence[Source]) -> Section:
    """A table with the last value that was measured by a quarter, a half and all of the quickest arm's time."""
    if len(sources) < 2:
        return Section("", "")
    title = "Accuracy at equal time"
    groups = tuple(group for one in ONLINE if (group := _group(sources, one)) is not None)
    if not groups:
        return Section(
            "", "", (f"{title}: at least two arms need an accuracy and wall_s in the epoch lines of metrics.jsonl.",)
        )
    columns = ("", *SHARES.values())
    text = paragraph(
        "The time is that of the arm that was done first; a value is the last one measured by then, the mean of the "
        "seeds. It is the online accuracy, of augmented training images. Numbers: metrics.jsonl of each run, epoch "
        "lines, wall_s and the accuracy's key."
    )
    return Section(title, text + grid(Grid(title, columns, groups)))


def _group(sources: Sequence[Source], one: Quantity) -> tuple[str, tuple[tuple[str, ...], ...]] | None:
    known = [(source, arm) for source in sources if (arm := [_reached(told, one) for told in source.runs]) and all(arm)]
    if len(known) < 2:
        return None
    until = min(fmean(run[-1][1] for run in arm) for _, arm in known)
    rows = tuple(
        (source.label, *(figure("top1", _at(arm, share * until)) for share in SHARES)) for source, arm in known
    )
    times = ", ".join(duration(share * until) for share in SHARES)
    return f"{one.title}, in %, after {times}", rows


def _reached(told: Told, one: Quantity) -> list[Point]:
    return points(told, one, "seconds")


def _at(arm: list[list[Point]], seconds: float) -> float | None:
    """Mean over the seeds, as a share; None where one of them had none by then."""
    values = [[y for _, x, y in run if x <= seconds * (1 + 1e-9)] for run in arm]
    return fmean(run[-1] for run in values) / 100 if all(values) else None
