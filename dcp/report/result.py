"""The table that a comparison comes to: a row an arm, with scores, state and cost."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from dcp.comparison.arms import mean
from dcp.comparison.compare import ArmScore, Comparison, ScoreRow, Setting
from dcp.comparison.scores import NO_PROBE, score_of
from dcp.report.page import NOTHING, count, duration, significant
from dcp.report.tables import Cell, Column, Table
from dcp.runs.records import is_share

MANY_IMAGES = 10_000  # from here on a hundredth of a percent is an image or more
# what decides the scores of an untrained encoder
BEFORE_TRAINING = ("network.", "data.", "probe.", "views.normalize")
LONGEST = 24  # letters of a setting


def result_table(comparison: Comparison, settings: Sequence[Setting] = ()) -> Table:
    """A row an arm: primary score, kNN, state and cost; and one of the untrained encoder, where all begin alike.

    Args:
        comparison: of which it is.
        settings: that differ between the arms, and have a column each.
    """
    arms, primary = comparison.arms, comparison.primary
    knn = next((row for row in comparison.scores if row.name == "knn top1" and row is not primary), None)
    shown = [row for row in (primary, knn) if row is not None]
    columns = (
        Column("arm", "arm", number=False),
        *(Column(setting.key, setting.key, number=False) for setting in settings),
        Column("seeds", "seeds", optional=len({len(arm.seeds) for arm in arms}) == 1),
        *(Column(row.name + " in %" * is_share(row.score), _key(row), interval=True) for row in shown),
        *(
            Column(f"minus {arms[0].name}", f"{_key(row)}.difference", interval=True, optional=True)
            for row in shown[:1]
            if row is primary
        ),
        Column("state", "state", number=False),
        Column("time", "wall_s"),
        Column("images/s", "images_per_s", optional=True),
    )
    rows = [
        (
            Cell(arm.name, arm.name),
            *(_setting(setting.values[i]) for setting in settings),
            Cell(str(len(arm.seeds)), len(arm.seeds)),
            *(_score(row, row.arms[i]) for row in shown),
            *(_difference(row, i) for row in shown[:1] if row is primary),
            _state(comparison, arm.name),
            Cell(duration(arm.cost.wall_s), arm.cost.wall_s),
            Cell(count(arm.cost.images_per_s), arm.cost.images_per_s),
        )
        for i, arm in enumerate(arms)
    ]
    blank, names = Cell(""), [arm.name for arm in arms]
    for name in dict.fromkeys(absent.arm for absent in comparison.absent):
        if name not in names:  # none of its runs finished
            fate = {"arm": Cell(name, name), "seeds": Cell("0", 0), "state": _state(comparison, name)}
            rows.append(tuple(fate.get(column.key, blank) for column in columns))
    before = {_key(row): _untrained(row) for row in shown}
    if _begin_alike(comparison, shown) and any(cell.value is not None for cell in before.values()):
        cells = {"arm": Cell(comparison.baseline, comparison.baseline), **before}
        rows.append(tuple(cells.get(column.key, blank) for column in columns))
    return Table(columns, tuple(rows), _note(shown))


def _key(row: ScoreRow) -> str:
    return f"{row.evaluation}.{row.score}"


def _setting(value: Any) -> Cell:
    if value is None:
        return Cell("")
    text = json.dumps(value, ensure_ascii=False).strip('"')
    return Cell(text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…", text)


def _score(row: ScoreRow, score: ArmScore) -> Cell:
    ends = f" [{ends_of(row, score.interval, to=', ')}]" if score.interval else ""
    return Cell(figure_of(row, score.mean) + ends, score.mean, score.interval)


def _untrained(row: ScoreRow) -> Cell:
    before = mean(score.untrained for score in row.arms)
    return Cell(figure_of(row, before), before)


def _begin_alike(comparison: Comparison, rows: list[ScoreRow]) -> bool:
    """Whether untrained encoders are the same in all arms: nothing that decides their scores differs, nor do these."""
    if any(setting.key.startswith(BEFORE_TRAINING) for setting in comparison.settings):
        return False
    for row in rows:
        by_seed: dict[int, str] = {}
        for member in (member for members in comparison.members.values() for member in members):
            value = score_of(member.probes.get(row.evaluation, NO_PROBE).random_encoder, row.score)
            if value is not None and by_seed.setdefault(member.run.seed, shown := figure_of(row, value)) != shown:
                return False
    return True


def _difference(row: ScoreRow, i: int) -> Cell:
    """An arm minus the first, with the verdict."""
    if i == 0:
        return Cell("")
    each = row.differences[i - 1]
    if each.value is None:
        return Cell("not compared")
    ends = f" [{ends_of(row, each.interval, to=', ', signs=True)}]" if each.interval else ""
    verdict = {"higher": " better", "lower": " worse"}.get(each.verdict, "")
    return Cell(figure_of(row, each.value, signs=True) + ends + verdict, each.value, each.interval)


def _state(comparison: Comparison, name: str) -> Cell:
    """What became of the runs of an arm: one state, or how many have each."""
    found = [arm for arm in comparison.arms if arm.name == name]
    states = [
        state.name if status == "done" else status
        for arm in found
        for state, status in zip(arm.states, arm.statuses, strict=True)
    ]
    counts = Counter([*states, *(absent.fate for absent in comparison.absent if absent.arm == name)])
    text = ", ".join(f"{number} {state}" for state, number in counts.items()) if len(counts) > 1 else "".join(counts)
    return Cell(text, text)


def _note(rows: list[ScoreRow]) -> str:
    """What the scores and their intervals are of."""
    scores = [score for row in rows for score in row.arms if score.mean is not None]
    seeds = {len(score.seeds) for score in scores}
    if not scores:
        return ""
    which = f"Mean over {count(max(seeds), 'seed')}" if len(seeds) == 1 and seeds != {1} else "Mean over the seeds"
    which = "One seed each" if seeds == {1} else which
    over = taken_over(scores)
    return f"{which}{f' [95 % interval {over}]' if over else ''}; time: per run."


def taken_over(scores: Sequence[ArmScore]) -> str:
    """What the intervals of these scores are over; "" where there are none."""
    shown = [score for score in scores if score.interval]
    over_seeds = [score for score in shown if score.over_seeds]
    if not over_seeds:
        return "over test images" if shown else ""
    alone = [len(score.values) == 1 for score in shown if not score.over_seeds]
    reasons = [*(["there is one seed"] if any(alone) else []), *(["the seeds agree"] if not all(alone) else [])]
    least = any(len(score.values) == 2 and score.over_images for score in over_seeds)
    return (
        "over seeds"
        + ", with two seeds no narrower than over test images" * least
        + f", or over test images if {' or '.join(reasons)}" * bool(reasons)
    )


def figure_of(row: ScoreRow, value: float | None, *, signs: bool = False) -> str:
    """A score with as many digits as its test images can tell."""
    if value is None:
        return NOTHING
    digits = 2 if row.n is not None and row.n >= MANY_IMAGES else 1
    text = f"{100 * value:.{digits}f}" if is_share(row.score) else significant(value)
    return f"+{text}" if signs and not text.startswith("-") else text


def ends_of(row: ScoreRow, ends: tuple[float, float] | None, *, to: str = " to ", signs: bool = False) -> str:
    """An interval with such digits."""
    low, high = ends or (None, None)
    return f"{figure_of(row, low, signs=signs)}{to}{figure_of(row, high, signs=signs)}"
