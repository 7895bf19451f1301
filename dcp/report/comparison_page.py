"""A comparison in words: which arm, which score, how sure, what else differs."""

import json
from dataclasses import replace
from string import ascii_uppercase
from typing import Any

from dcp.comparison.arms import Arm
from dcp.comparison.compare import ArmScore, Comparison, ScoreRow
from dcp.comparison.difference import Difference
from dcp.comparison.scores import is_share
from dcp.report.findings import findings
from dcp.report.page import (
    NOTHING,
    Grid,
    Lines,
    Page,
    count,
    duration,
    figure,
    is_main,
    listed,
    memory,
    operations,
    signed,
    span,
)
from dcp.report.significance_page import equal_time, tests

Cells = tuple[str, ...]


def comparison_page(comparison: Comparison, *, scores_only: bool = False, every_score: bool = True) -> Page:
    """The page of a comparison. Arms have letters, so that long names are written once.

    Args:
        comparison: what to show.
        scores_only: leave out everything else but which arm is which.
        every_score: or only the main ones.
    """
    shown = tuple(row for row in comparison.scores if every_score or is_main(row.evaluation, row.score))
    comparison = replace(comparison, scores=shown)
    letters = {arm.name: letter(i) for i, arm in enumerate(comparison.arms)}
    title, scores = _title([arm.name for arm in comparison.arms]), _scores(comparison, letters)
    if scores_only:
        return Page(title, (_arms(comparison, letters), scores))
    return Page(
        title=title,
        blocks=(
            _arms(comparison, letters),
            scores,
            tests(comparison, letters),
            Lines("What the intervals show", tuple(findings(comparison, letters))),
            Lines("What they cover", _covers(comparison)),
            Lines("Take care", comparison.caveats),
            _settings(comparison, letters),
            _cost(comparison, letters),
            equal_time(comparison, letters),
            Lines("Collapse", _states(comparison, letters)),
        ),
    )


def _title(names: list[str]) -> str:
    return f"Comparison of {listed(names)}" if len(names) <= 3 else f"Comparison of {len(names)} recipes"


def letter(index: int) -> str:
    """Letter of an arm: A to Z, then A1 to Z1 and so on."""
    turn, place = divmod(index, 26)
    return ascii_uppercase[place] + (str(turn) if turn else "")


def _arms(comparison: Comparison, letters: dict[str, str]) -> Grid:
    rows = tuple((letters[arm.name], arm.name, _seeds(arm.seeds)) for arm in comparison.arms)
    return Grid("Arms", ("", "recipe", "seeds"), (("", rows),), numbers=False)


def _scores(comparison: Comparison, letters: dict[str, str]) -> Grid:
    level = f"{100 * comparison.level:.0f} %"
    columns = ("", "score", f"{level} interval", "untrained", f"minus A ({level} interval)")
    width = len(columns) if len(comparison.arms) > 1 else len(columns) - 1
    groups = (
        (_heading(row), tuple(cells[:width] for cells in _score_cells(row, letters))) for row in comparison.scores
    )
    return Grid("Scores", columns[:width], tuple(groups))


def _heading(row: ScoreRow) -> str:
    unit = " in %" if is_share(row.score) else ""
    return f"{row.evaluation} {row.score}{unit}" + (f", {count(row.n, 'test image')}" if row.n else "")


def _score_cells(row: ScoreRow, letters: dict[str, str]) -> list[Cells]:
    by_arm = {one.arm: one for one in row.differences}
    return [
        (
            letters[one.arm],
            figure(row.score, one.mean),
            span(row.score, _interval(one)),
            figure(row.score, one.untrained),
            _difference(row.score, by_arm.get(one.arm)),
        )
        for one in row.arms
    ]


def _interval(one: ArmScore) -> tuple[float, float] | None:
    return one.over_seeds if one.over_seeds is not None else one.over_images


def _difference(score: str, one: Difference | None) -> str:
    if one is None:
        return ""
    if one.value is None:
        return "not compared"
    if one.nothing:
        return "0"
    around = f" ({signed(score, one.interval[0])} to {signed(score, one.interval[1])})" if one.interval else ""
    return signed(score, one.value) + around


def _covers(comparison: Comparison) -> Cells:
    kinds = {one.over_seeds is not None for row in comparison.scores for one in row.arms if _interval(one)}
    own = {
        frozenset({True}): ("The interval of a score is over its seeds (Student's t).",),
        frozenset({False}): ("The interval of a score is over the test images.",),
        frozenset({True, False}): (
            "The interval of a score is over its seeds, of a single seed over the test images.",
        ),
    }
    return own.get(frozenset(kinds), ()) + comparison.covers


def _settings(comparison: Comparison, letters: dict[str, str]) -> Grid:
    rows = tuple((one.key, *map(_value, one.values)) for one in comparison.settings)
    return Grid("Settings that differ", ("", *letters.values()), (("", rows),) if rows else ())


def _cost(comparison: Comparison, letters: dict[str, str]) -> Grid:
    counted = any(arm.cost.flops is not None for arm in comparison.arms)
    rows = tuple(
        (
            letters[arm.name],
            count(arm.cost.images_per_s),
            duration(arm.cost.wall_s),
            memory(arm.cost.peak_memory_bytes),
            count(arm.cost.steps),
            *([operations(arm.cost.flops)] if counted else []),
            arm.cost.device or NOTHING,
        )
        for arm in comparison.arms
    )
    columns = ("", "images/s", "time", "peak memory", "steps", *(["FLOPs"] if counted else []), "device")
    return Grid("Cost of a seed", columns, (("", rows),))


def _states(comparison: Comparison, letters: dict[str, str]) -> Cells:
    return tuple(line for arm in comparison.arms for line in _states_of(arm, letters[arm.name]))


def _states_of(arm: Arm, name: str) -> list[str]:
    """A line for each seed; but one for all seeds that are healthy, or of which nothing is known."""
    seeds: dict[str, list[tuple[int, str]]] = {}
    for seed, state in zip(arm.seeds, arm.states, strict=True):
        seeds.setdefault(state.name, []).append((seed, state.evidence))
    return [
        f"{name}, {_seed_words(group)}: {state}{f' ({group[0][1]})' if group[0][1] else ''}."
        for state, found in seeds.items()
        for group in ([found] if state in ("healthy", "unknown") else [[one] for one in found])
    ]


def _seed_words(group: list[tuple[int, str]]) -> str:
    seeds = [str(seed) for seed, _ in group]
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {listed(seeds)}"


def _seeds(seeds: tuple[int, ...]) -> str:
    return ", ".join(map(str, seeds))


def _value(value: Any) -> str:
    return NOTHING if value is None else json.dumps(value, ensure_ascii=False).strip('"')
