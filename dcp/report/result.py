"""What a comparison comes to: who is better in the primary score, by how much, how sure; and the table of its arms."""

from collections import Counter
from collections.abc import Sequence

from dcp.comparison.arms import mean
from dcp.comparison.compare import ArmScore, Comparison, ScoreRow
from dcp.comparison.significance import IMAGES, SEEDS_AND_IMAGES, Difference
from dcp.report.page import NOTHING, count, duration, listed, probability, significant
from dcp.report.tables import Cell, Column, Table
from dcp.runs.records import is_share

FEW = 4  # so many arms beside the first have a clause each in the sentence
MANY_IMAGES = 10_000  # from here on a hundredth of a percent is an image or more
NETWORK_AND_DATA = ("network.", "data.", "probe.")  # what decides the scores of an untrained encoder


def answer(comparison: Comparison) -> tuple[str, ...]:
    """Who is better in the primary score, by how much and how sure; then what that does not say."""
    row, first = comparison.primary, comparison.arms[0].name
    if row is None:
        evaluation, name = comparison.primary_name[0], " ".join(comparison.primary_name)
        return (f"No verdict: no run has the primary score, {name}. dcp probe RUN -e {evaluation} measures it.",)
    if not row.differences:
        (score,) = row.arms
        over = f" over {count(len(score.seeds), 'seed')}" if score.over_seeds else " over test images"
        interval = f" (95 % interval {_ends(row, score.interval)}{over})" if score.interval else ""
        return (f"{first} has {row.name} {_figure(row, score.mean)}{' %' * is_share(row.score)}{interval}.",)
    if len(row.differences) == 1:
        said = _of_two(row, row.differences[0])
    elif len(row.differences) <= FEW:
        level = f" ({_figure(row, row.arms[0].mean)}{' %' * is_share(row.score)})" if row.arms[0].seeds else ""
        said = f"compared with {first}{level}: {'; '.join(_clause(row, each) for each in row.differences)}"
    else:
        said = _counted(row)
    return (f"In {row.name}, {said}.", *_limits(row))


def _of_two(row: ScoreRow, difference: Difference) -> str:
    """What the only difference says, the better one first."""
    arm, against = difference.arm, difference.against
    if difference.value is None:
        return f"{arm} and {against} are not compared: {difference.why}"
    better, worse = (against, arm) if difference.verdict == "lower" else (arm, against)
    verdict = "and {} are not clearly different" if difference.verdict == "undecided" else "is better than {}"
    return f"{better} {verdict.format(worse)}{_sizes(row, difference)}"


def _clause(row: ScoreRow, difference: Difference) -> str:
    """What one of several differences from the first arm says."""
    if difference.value is None:
        return f"{difference.arm} is not compared ({difference.why})"
    verdict = {"higher": "is better", "lower": "is worse"}.get(difference.verdict, "is not clearly different")
    return f"{difference.arm} {verdict}{_sizes(row, difference)}"


def _sizes(row: ScoreRow, difference: Difference) -> str:
    """How large a difference is, and how sure."""
    value, ends = difference.value or 0.0, difference.interval
    p = f"{'Holm ' * (len(row.differences) > 1)}p {probability(difference.p_holm)}" if difference.p_holm else ""
    if difference.verdict == "undecided":
        interval = f"95 % interval {_ends(row, ends, signs=True)}" if ends else ""
        why = "" if difference.firm and ends else difference.why
        return f" ({', '.join(filter(None, (_size(row, value, signs=True), interval, p, why)))})"
    low, high = ends or (value, value)  # a verdict has an interval
    low, high = (low, high) if value > 0 else (-high, -low)
    return f" by {_size(row, abs(value))} (95 % interval {_ends(row, (low, high))}, {p})"


def _counted(row: ScoreRow) -> str:
    """What many differences come to, with the largest of those that are decided."""
    groups: dict[str, list[Difference]] = {"higher": [], "lower": [], "undecided": [], "": []}
    for difference in row.differences:
        groups["" if difference.value is None else difference.verdict].append(difference)
    words = {"higher": "better", "lower": "worse", "undecided": "not clearly different", "": "not compared"}
    parts = []
    for verdict, group in groups.items():
        largest = sorted(group, key=lambda difference: -abs(difference.value or 0.0))[:3]
        named = ", ".join(f"{each.arm} by {_size(row, abs(each.value or 0.0))}" for each in largest)
        more = ", ..." if len(group) > len(largest) else ""
        if group:
            parts.append(f"{len(group)} {words[verdict]}" + f" ({named}{more})" * (verdict in ("higher", "lower")))
    against = row.differences[0].against
    return f"of {len(row.differences)} arms compared with {against} (Holm's correction), {listed(parts)}"


def _limits(row: ScoreRow) -> tuple[str, ...]:
    """What the intervals of the differences leave out."""
    methods, lines = {difference.method for difference in row.differences} - {""}, []
    if methods & {*IMAGES}:
        lines.append(
            "One seed each: this compares the trained encoders, on images like the test images. It does not say which"
            " recipe is better: other seeds may reverse the order. Train several (--seeds 0-4)."
        )
    if methods - {*IMAGES}:
        images = " and other test images of the same kind" if methods & {*SEEDS_AND_IMAGES} else ""
        lines.append(
            f"This covers other seeds of the same recipes{images}; it does not cover other data, longer training or"
            " tuned settings."
        )
    return tuple(lines)


def result_table(comparison: Comparison) -> Table:
    """A row an arm: primary score, kNN, state and cost; and one before training, where all begin alike."""
    arms, primary = comparison.arms, comparison.primary
    knn = next((row for row in comparison.scores if row.name == "knn top1" and row is not primary), None)
    shown = [row for row in (primary, knn) if row is not None]
    columns = (
        Column("arm", "arm", number=False),
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
    alike = not any(setting.key.startswith(NETWORK_AND_DATA) for setting in comparison.settings)
    if alike and any(cell.value is not None for cell in before.values()):
        cells = {"arm": Cell(comparison.baseline, comparison.baseline), **before}
        rows.append(tuple(cells.get(column.key, blank) for column in columns))
    return Table(columns, tuple(rows), _note(shown))


def _key(row: ScoreRow) -> str:
    return f"{row.evaluation}.{row.score}"


def _score(row: ScoreRow, score: ArmScore) -> Cell:
    ends = f" [{_ends(row, score.interval, to=', ')}]" if score.interval else ""
    return Cell(_figure(row, score.mean) + ends, score.mean, score.interval)


def _untrained(row: ScoreRow) -> Cell:
    before = mean(score.untrained for score in row.arms)
    return Cell(_figure(row, before), before)


def _difference(row: ScoreRow, i: int) -> Cell:
    """An arm minus the first, with the verdict."""
    if i == 0:
        return Cell("")
    each = row.differences[i - 1]
    if each.value is None:
        return Cell("not compared")
    ends = f" [{_ends(row, each.interval, to=', ', signs=True)}]" if each.interval else ""
    verdict = {"higher": " better", "lower": " worse"}.get(each.verdict, "")
    return Cell(_figure(row, each.value, signs=True) + ends + verdict, each.value, each.interval)


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


def _figure(row: ScoreRow, value: float | None, *, signs: bool = False) -> str:
    """A score with as many digits as its test images can tell."""
    if value is None:
        return NOTHING
    digits = 2 if row.n is not None and row.n >= MANY_IMAGES else 1
    text = f"{100 * value:.{digits}f}" if is_share(row.score) else significant(value)
    return f"+{text}" if signs and not text.startswith("-") else text


def _size(row: ScoreRow, value: float, *, signs: bool = False) -> str:
    text = _figure(row, value, signs=signs)
    return f"{text} points" if is_share(row.score) else text


def _ends(row: ScoreRow, ends: tuple[float, float] | None, *, to: str = " to ", signs: bool = False) -> str:
    low, high = ends or (None, None)
    return f"{_figure(row, low, signs=signs)}{to}{_figure(row, high, signs=signs)}"
