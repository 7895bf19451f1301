"""What a study has to show, as pages: its plan, and published numbers beside ours."""

from collections.abc import Mapping, Sequence

from dcp.report.page import NOTHING, Grid, Lines, Page, count
from dcp.studies.grid import Cell, State
from dcp.studies.published import Beside
from dcp.studies.study import Study


def plan(study: Study, states: Mapping[Cell, State]) -> Page:
    """Which runs there are, and what is left to do for each."""
    left = sum(state != "done" for state in states.values())
    by_arm: dict[str, list[str]] = {arm.name: [] for arm in study.arms}
    for cell, state in states.items():
        by_arm[cell.arm.name].append(state)
    rows = tuple((name, *found) for name, found in by_arm.items())
    columns = ("arm", *(f"s{seed}" for seed in study.seeds))
    return Page(
        f"Study {study.name}: {study.size}; {count(left, 'run')} left",
        (Grid("Runs", columns, (("", rows),), numbers=False),),
    )


def published(study: Study, found: Sequence[Beside]) -> Page:
    """Published numbers beside ours, in the unit of the source, and where they are from."""
    sources = list(dict.fromkeys((one.published.source, one.published.note) for one in found))
    groups = {one.published.score: "" for one in found}
    grid = Grid(
        "",
        ("arm", "published", "ours", "seeds", "ours - published", "from"),
        tuple((score, tuple(_row(one, sources) for one in found if one.published.score == score)) for score in groups),
    )
    return Page("Published numbers beside ours", (grid, Lines("Where they are from", tuple(_told(study, sources)))))


def _row(one: Beside, sources: list[tuple[str, str]]) -> tuple[str, ...]:
    theirs = one.published
    return (
        theirs.arm,
        _number(theirs.value, theirs.spread),
        NOTHING if one.mean is None else _number(one.mean, one.spread),
        str(len(one.values)),
        NOTHING if one.mean is None else f"{one.mean - theirs.value:+.2f}",
        f"[{sources.index((theirs.source, theirs.note)) + 1}]",
    )


def _number(mean: float, spread: float | None) -> str:
    """A mean and its standard deviation over seeds.

    >>> _number(85.21, 0.23), _number(59.4, None)
    ('85.21 ± 0.23', '59.40')
    """
    return f"{mean:.2f}" if spread is None else f"{mean:.2f} ± {spread:.2f}"


def _told(study: Study, sources: list[tuple[str, str]]) -> list[str]:
    lines = [f"[{i}] {source}{f': {note}' if note else ''}." for i, (source, note) in enumerate(sources, 1)]
    lines.append("Shares of test images are in percent; ± is the standard deviation over seeds, no interval.")
    if study.sets:
        lines.append(f"Overrides lie over all arms ({', '.join(study.sets)}), and the sources have their own settings.")
    return lines
