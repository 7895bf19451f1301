"""Accuracy at equal time: what each arm had reached when the quickest one was done."""

from collections.abc import Sequence
from statistics import fmean

from dcp.report.html.blocks import grid
from dcp.report.html.courses import ONLINE, TIMED, Quantity, points
from dcp.report.html.document import Section, paragraph
from dcp.report.html.sources import Source, Told
from dcp.report.page import Grid, duration, figure

SHARES = (0.25, 0.5, 1.0)  # of the time of the quickest arm
Reached = list[tuple[int, float, float]]  # step, minutes, value


def equal_time(sources: Sequence[Source]) -> Section:
    """A table with the last value that was measured by a quarter, a half and all of the quickest arm's time."""
    if len(sources) < 2:
        return Section("", "")
    title = "Accuracy at equal time"
    groups = tuple(group for one in TIMED[1:] if (group := _group(sources, one)) is not None)
    if not groups:
        return Section("", "", (f"{title}: at least two arms need {ONLINE} and wall_s in metrics.jsonl.",))
    columns = ("", *(f"at {_word(share)} of the time" for share in SHARES))
    text = paragraph(
        "The time is that of the arm that was done first; a value is the last one measured by then, the mean of the "
        "seeds. Numbers: metrics.jsonl of each run, epoch lines, wall_s and the accuracy's key."
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
    times = ", ".join(duration(60 * share * until) for share in SHARES)
    return f"{one.title}, in %, after {times}", rows


def _reached(told: Told, one: Quantity) -> Reached:
    return points(told, one, "minutes")


def _at(arm: list[Reached], minutes: float) -> float | None:
    """Mean over the seeds, as a share; None where one of them had none by then."""
    values = [[y for _, x, y in run if x <= minutes * (1 + 1e-9)] for run in arm]
    return fmean(run[-1] for run in values) / 100 if all(values) else None


def _word(share: float) -> str:
    return {0.25: "a quarter", 0.5: "half"}.get(share, "all")
