"""A comparison in words: which arm, which score, how sure, what else differs."""

import json
from dataclasses import replace
from string import ascii_uppercase
from typing import Any

from dcp.comparison.arms import Arm
from dcp.comparison.compare import Comparison
from dcp.comparison.significance import TESTS, Difference
from dcp.report.caveats import caveats, covers
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
    probability,
    signed,
    span,
)
from dcp.report.result import taken_over
from dcp.runs.records import is_share

Cells = tuple[str, ...]


def comparison_page(comparison: Comparison, *, scores_only: bool = False, every_score: bool = True) -> Page:
    """The page of a comparison, or its scores alone, every one or the main ones.

    Arms have letters, so that long names are written once.
    """
    shown = tuple(row for row in comparison.scores if every_score or is_main(row.evaluation, row.score))
    whole, comparison = comparison, replace(comparison, scores=shown)
    letters = {arm.name: letter(i) for i, arm in enumerate(comparison.arms)}
    names = [arm.name for arm in comparison.arms]
    title = f"Comparison of {listed(names)}" if len(names) <= 3 else f"Comparison of {len(names)} recipes"
    recipes = tuple((letters[arm.name], arm.name, ", ".join(map(str, arm.seeds))) for arm in comparison.arms)
    arms, scores = Grid("Arms", ("", "recipe", "seeds"), (("", recipes),), numbers=False), _scores(comparison, letters)
    if scores_only:
        return Page(title, (arms, scores))
    over = taken_over([arm for row in shown for arm in row.arms])
    settings = tuple((setting.key, *map(_value, setting.values)) for setting in comparison.settings)
    return Page(
        title=title,
        blocks=(
            arms,
            scores,
            _tests(comparison, letters),
            Lines("What the intervals show", tuple(findings(comparison, letters))),
            Lines("What they cover", (*([f"The interval of a score is {over}."] if over else []), *covers(whole))),
            Lines("Take care", caveats(whole)),
            Grid("Settings that differ", ("", *letters.values()), (("", settings),) if settings else ()),
            _cost(comparison, letters),
            _equal_time(comparison, letters),
            Lines("Collapse", tuple(line for arm in comparison.arms for line in _states(arm, letters[arm.name]))),
        ),
    )


def letter(index: int) -> str:
    """Letter of an arm: A to Z, then A1 to Z1 and so on."""
    turn, place = divmod(index, 26)
    return ascii_uppercase[place] + (str(turn) if turn else "")


def _scores(comparison: Comparison, letters: dict[str, str]) -> Grid:
    columns = ("", "score", "95 % interval", comparison.baseline, "minus A (95 % interval)")
    width = len(columns) if len(comparison.arms) > 1 else len(columns) - 1
    groups = []
    for row in sorted(comparison.scores, key=lambda row: row.role != "primary"):
        unit, images = " in %" if is_share(row.score) else "", f", {count(row.n, 'test image')}" if row.n else ""
        differences = {difference.arm: difference for difference in row.differences}
        rows = tuple(
            (
                letters[arm.arm],
                figure(row.score, arm.mean),
                span(row.score, arm.interval),
                figure(row.score, arm.untrained),
                _difference(row.score, differences.get(arm.arm)),
            )[:width]
            for arm in row.arms
        )
        primary = ", primary score" if row.role == "primary" else ""
        groups.append((f"{row.name}{unit}{images}{primary}", rows))
    return Grid("Scores", columns[:width], tuple(groups))


def _difference(score: str, difference: Difference | None) -> str:
    if difference is None:
        return ""
    if difference.value is None:
        return "not compared"
    if difference.nothing:
        return "0"
    ends = difference.interval
    interval = f" ({signed(score, ends[0])} to {signed(score, ends[1])})" if ends else ""
    return signed(score, difference.value) + interval


def _tests(comparison: Comparison, letters: dict[str, str]) -> Grid:
    """p-values, effects and seeds needed: of primary and secondary scores, by arm and by what was tested.

    With two arms Holm's correction changes nothing, and has no column.
    """
    several = len(comparison.arms) > 2
    groups: dict[str, list[Cells]] = {}
    for role, remark in (("primary", ""), ("secondary", "; secondary scores, p not corrected")):
        for arm, differences in comparison.differences().items():
            for row, difference in differences:
                if difference.p is None or row.role != role:
                    continue
                effect, needed = difference.effect, difference.seeds_needed
                cells = (
                    row.name,
                    probability(difference.p),
                    *([probability(difference.p_holm)] if several else []),
                    NOTHING if effect is None else f"{effect:+.2f}",
                    NOTHING if needed is None else f"{needed:,}",
                )
                heading = f"{letters[arm]} against A, {difference.method}: {TESTS[difference.method]}{remark}"
                groups.setdefault(heading, []).append(cells)
    columns = ("", "p", *(["Holm p"] if several else []), "effect", "seeds needed")
    return Grid("Tests", columns, tuple((heading, tuple(rows)) for heading, rows in groups.items()))


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
    return Grid("Cost per seed", columns, (("", rows),))


def _equal_time(comparison: Comparison, letters: dict[str, str]) -> Grid:
    groups = []
    for readout in comparison.equal_time:
        rows = tuple(
            (letters[arm.arm], figure("top1", arm.mean), figure("top1", arm.deviation), str(len(arm.seeds)))
            for arm in readout.arms
        )
        groups.append((f"{readout.readout} in %, after {duration(readout.wall_s)} of training", rows))
    return Grid("Accuracy at equal time", ("", "mean", "std", "seeds"), tuple(groups))


def _states(arm: Arm, letter: str) -> list[str]:
    """A line for each seed; but one for all seeds that are healthy, or of which nothing is known."""
    by_state: dict[str, list[tuple[str, str]]] = {}
    for seed, state in zip(arm.seeds, arm.states, strict=True):
        by_state.setdefault(state.name, []).append((str(seed), state.evidence))
    lines = []
    for name, of_state in by_state.items():
        for group in [of_state] if name in ("healthy", "unknown") else [[each] for each in of_state]:
            seeds, evidence = [seed for seed, _ in group], group[0][1]
            which = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {listed(seeds)}"
            lines.append(f"{letter}, {which}: {name}{f' ({evidence})' if evidence else ''}.")
    return lines


def _value(value: Any) -> str:
    return NOTHING if value is None else json.dumps(value, ensure_ascii=False).strip('"')
