"""Scores and differences as pictures: the numbers of the table, with their intervals drawn."""

from collections.abc import Sequence

from dcp.comparison.compare import ArmScore, Comparison, ScoreRow
from dcp.comparison.scores import image_interval, score_of
from dcp.report.charts.estimates import Estimate, Row, draw_estimates
from dcp.report.html.document import Key, Section, figure, figures, paragraph
from dcp.report.html.run_files import ArmFiles, RunFiles
from dcp.report.page import is_main
from dcp.runs.records import is_share

Interval = tuple[float, float]
SCORES = "Scores as a picture"
DIFFERENCES = "Differences as a picture"
HOW_TO_READ = (
    "Each further arm minus the first. Dot: the difference; hollow: undecided. Bar: its 95 % interval; one that "
    "crosses the line at 0 leaves open which is higher. One that leaves 0 out decides only if the test that is "
    "corrected for the number of scores agrees (Holm p of at most 0.05), and never where an arm has just 2 seeds."
)


def scores_of(comparison: Comparison, arms: Sequence[ArmFiles]) -> Section:
    """The shares of the score table: means with intervals, seeds, and untrained encoders."""
    rows = [
        Row(f"{row.evaluation} {row.score}", values)
        for row in comparison.scores
        if is_share(row.score) and (values := tuple(_scored(row, arms)))
    ]
    return _scores(rows, _key(arms), 'the table "Scores" and comparison.json, from probes/*.json of each run')


def scores_of_run(files: RunFiles) -> Section:
    """The same for a single run, whose intervals are over test images."""
    rows = [
        Row(
            f"{evaluation} {score}",
            (_estimate(0, "", value, image_interval(probe, score), (), score_of(probe.random_encoder, score)),),
        )
        for evaluation, probe in files.probes.items()
        for score in probe.score
        if is_share(score) and (value := score_of(probe, score)) is not None
    ]
    return _scores(rows, (), "probes/*.json, score, interval and random_encoder")


def differences(comparison: Comparison, arms: Sequence[ArmFiles]) -> Section:
    """Each further arm minus the first: shares in one picture, every other score in one of its own unit."""
    if len(arms) < 2:
        return Section("", "")
    rows = [(row, values) for row in comparison.scores if (values := tuple(_differing(row, arms)))]
    shares = [Row(f"{row.evaluation} {row.score}", values) for row, values in rows if is_share(row.score)]
    parts = [_difference(0, "Right answers", shares, "minus A, in percentage points", arms)] if shares else []
    for row, values in rows:
        if not is_share(row.score) and is_main(row.evaluation, row.score):
            title, x = f"{row.evaluation} {row.score}", f"{row.score}, minus A"
            parts.append(_difference(len(parts) + 1, title, [Row("", values)], x, arms))
    missing = () if parts else ("Differences: no score can be compared.",)
    return Section(DIFFERENCES, paragraph(HOW_TO_READ) + figures(parts) if parts else "", missing)


def _scores(rows: list[Row], key: Key, source: str) -> Section:
    if not rows:
        return Section("", "", ("Scores as a picture: no probe has the share of right answers.",))
    chart = draw_estimates(rows, name="scores", title="Right answers", x="right answers in %")
    note = "Dot: score, of several seeds the mean. Bar: 95 % interval. Strokes: seeds. Ring: the untrained encoder."
    return Section(SCORES, figures([figure("Right answers", chart, note=note, source=source, key=key)]))


def _difference(i: int, title: str, rows: list[Row], x: str, arms: Sequence[ArmFiles]) -> str:
    title = f"{title}: difference from A"
    chart = draw_estimates(rows, name=f"difference-{i}", title=title, x=x, zero=True)
    shown = {estimate.style for row in rows for estimate in row.values}
    key = _key([arm for arm in arms if arm.style in shown])
    return figure(title, chart, source='the table "Scores" and comparison.json', key=key)


def _scored(row: ScoreRow, arms: Sequence[ArmFiles]) -> list[Estimate]:
    by_name: dict[str, ArmScore] = {score.arm: score for score in row.arms}
    scores = [(arm, by_name[arm.name]) for arm in arms]
    return [
        _estimate(
            arm.style, arm.letter, score.mean, score.over_seeds or score.over_images, score.values, score.untrained
        )
        for arm, score in scores
        if score.mean is not None
    ]


def _estimate(
    style: int,
    label: str,
    value: float,
    interval: Interval | None,
    points: Sequence[float],
    before: float | None,
) -> Estimate:
    """A share as an estimate in percent."""
    ends = None if interval is None else (100 * interval[0], 100 * interval[1])
    seeds = tuple(100 * point for point in points)
    return Estimate(style, label, 100 * value, ends, seeds, None if before is None else 100 * before)


def _differing(row: ScoreRow, arms: Sequence[ArmFiles]) -> list[Estimate]:
    factor = 100.0 if is_share(row.score) else 1.0
    by_name = {arm.name: arm for arm in arms}
    return [
        Estimate(
            by_name[difference.arm].style,
            by_name[difference.arm].letter,
            factor * difference.value,
            None if difference.interval is None else (factor * difference.interval[0], factor * difference.interval[1]),
            undecided=difference.verdict == "undecided",
        )
        for difference in row.differences
        if difference.value is not None
    ]


def _key(arms: Sequence[ArmFiles]) -> Key:
    return [(arm.style, arm.label) for arm in arms]
