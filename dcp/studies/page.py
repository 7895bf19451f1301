"""What a study has to show, as pages: its plan, and published numbers beside ours."""

from collections.abc import Mapping, Sequence

from dcp.report.page import NOTHING, Grid, Lines, Page, count
from dcp.studies.grid import Cell, State
from dcp.studies.published import Reproduction
from dcp.studies.study import Study


def plan(study: Study, states: Mapping[Cell, State]) -> Page:
    """Which runs there are, and what is left to do for each."""
    left = sum(state != "done" for state in states.values())
    found = {(cell.arm.name, cell.seed): state for cell, state in states.items()}  # of a share not all runs
    rows = tuple(
        (arm.name, *(found.get((arm.name, seed), NOTHING) for seed in study.seeds))
        for arm in study.arms
        if any((arm.name, seed) in found for seed in study.seeds)
    )
    columns = ("arm", *(f"s{seed}" for seed in study.seeds))
    return Page(
        f"Study {study.name}: {study.size}; {count(left, 'run')} left",
        (Grid("Runs", columns, (("", rows),), numbers=False),),
    )


def published(study: Study, reproductions: Sequence[Reproduction]) -> Page:
    """Published numbers beside ours, in the unit of the source, and where they are from."""
    sources = list(dict.fromkeys((each.published.source, each.published.note) for each in reproductions))
    groups: dict[str, list[tuple[str, ...]]] = {}
    for each in reproductions:
        theirs = each.published
        row = (
            theirs.arm,
            _number(theirs.value, theirs.spread),
            NOTHING if each.mean is None else _number(each.mean, each.spread),
            str(len(each.values)),
            NOTHING if each.mean is None else f"{each.mean - theirs.value:+.2f}",
            f"[{sources.index((theirs.source, theirs.note)) + 1}]",
        )
        groups.setdefault(theirs.score, []).append(row)
    columns = ("arm", "published", "ours", "seeds", "ours - published", "from")
    grid = Grid("", columns, tuple((score, tuple(rows)) for score, rows in groups.items()))
    notes = [f"[{i}] {source}{f': {note}' if note else ''}." for i, (source, note) in enumerate(sources, 1)]
    notes.append("Accuracies are in percent; ± is the standard deviation over seeds, not an interval.")
    if study.sets:
        notes.append(f"All arms have overrides ({', '.join(study.sets)}); the sources have settings of their own.")
    return Page("Published numbers beside ours", (grid, Lines("Where they are from", tuple(notes))))


def _number(mean: float, spread: float | None) -> str:
    """A mean and its standard deviation over seeds.

    >>> _number(85.21, 0.23), _number(59.4, None)
    ('85.21 ± 0.23', '59.40')
    """
    return f"{mean:.2f}" if spread is None else f"{mean:.2f} ± {spread:.2f}"
