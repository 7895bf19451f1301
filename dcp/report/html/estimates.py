"""Scores and differences as charts: the numbers of the table, with their intervals drawn."""

from collections.abc import Sequence

from dcp.comparison.compare import Comparison, ScoreRow
from dcp.comparison.scores import image_interval, in_order, score_of
from dcp.report.charts.canvas import Key
from dcp.report.charts.estimates import Estimate, Row, draw_estimates
from dcp.report.html.document import Drawing, Section, bullets, chart_figure, figures
from dcp.report.html.run_files import ArmFiles, RunFiles
from dcp.report.page import is_main
from dcp.runs.records import UNTRAINED, is_share

PERCENT = (0.0, 100.0)
HOW_TO_READ = (
    '<p class="soft">'
    "Each further arm minus the first. Dot: the difference; hollow: undecided. Bar: its 95 % interval; if it crosses "
    "0, either arm may be the higher one. Only the primary score can be decided: its interval must exclude 0, its p "
    "(Holm's, with more than two arms) be at most 0.05, and no arm have just 2 seeds.</p>"
)


def scores_of(comparison: Comparison, arms: Sequence[ArmFiles]) -> Section:
    """The shares of the score table: means with intervals, seeds, and untrained encoders."""
    rows = []
    for row in comparison.scores:
        values = tuple(
            Estimate(arm.style, arm.letter, score.mean, score.interval, score.values, score.untrained).times(100)
            for arm, score in zip(arms, row.arms, strict=True)
            if score.mean is not None
        )
        rows += [Row(row.name, values)] if values and is_share(row.score) else []
    source = 'the table "Scores" and comparison.json, from probes/*.json of each run'
    return _scores(rows, comparison.baseline, key_of(arms), source)


def scores_of_run(files: RunFiles) -> Section:
    """The same for a single run, whose intervals are over test images."""
    rows = []
    for evaluation, probe in files.probes.items():
        for score in filter(is_share, in_order(probe)):
            if (value := score_of(probe, score)) is not None:
                before = score_of(probe.random_encoder, score)
                estimate = Estimate(0, "", value, image_interval(probe, score), before=before).times(100)
                rows.append(Row(f"{evaluation} {score}", (estimate,)))
    return _scores(rows, files.run.record.baseline, (), "probes/*.json, score, interval and random_encoder")


def _scores(rows: list[Row], baseline: str, key: Key, source: str) -> Section:
    if not rows:
        return Section("", "", ("Scores as a chart: no probe has an accuracy.",))
    chart = draw_estimates(rows, name="scores", title="Scores in %", x="score in %", limits=PERCENT)
    seeds = any(len(estimate.points) > 1 for row in rows for estimate in row.values)
    drawing = Drawing("Scores in %", chart, how_to_read("score", baseline, seeds=seeds), source, key)
    return Section("Scores as a chart", figures([chart_figure(drawing)]), drawings=(drawing,))


def differences(comparison: Comparison, arms: Sequence[ArmFiles]) -> Section:
    """Each further arm minus the first: shares in one picture, every other score in one of its own unit."""
    if len(arms) < 2:
        return Section("", "")
    rows = [(row, values) for row in comparison.scores if (values := _differing(row, arms[1:]))]
    shares = [Row(row.name, values) for row, values in rows if is_share(row.score)]
    parts = [_difference("shares", "Scores in %", shares, "minus A, in percentage points", arms)] if shares else []
    same = []
    for row, values in rows:
        if not is_share(row.score) and is_main(row.evaluation, row.score):
            if any(not difference.nothing for difference in row.differences if difference.value is not None):
                parts.append(
                    _difference(row.name.replace(" ", "-"), row.name, [Row("", values)], f"{row.score}, minus A", arms)
                )
            else:
                same.append(f"{row.name}: no difference beyond rounding.")
    missing = () if parts or same else ("Differences: no score can be compared.",)
    body = (HOW_TO_READ if parts else "") + figures([*map(chart_figure, parts)]) + bullets(same)
    return Section("Differences as a chart", body, missing, tuple(parts))


def _differing(row: ScoreRow, others: Sequence[ArmFiles]) -> tuple[Estimate, ...]:
    estimates = (
        Estimate(arm.style, arm.letter, each.value, each.interval, undecided=each.verdict == "undecided")
        for arm, each in zip(others, row.differences, strict=True)
        if each.value is not None
    )
    return tuple(estimate.times(100.0 if is_share(row.score) else 1.0) for estimate in estimates)


def _difference(name: str, title: str, rows: list[Row], x: str, arms: Sequence[ArmFiles]) -> Drawing:
    title = f"{title}: difference from A"
    chart = draw_estimates(rows, name=f"difference-{name}", title=title, x=x, zero=True)
    shown = {estimate.style for row in rows for estimate in row.values}
    key = key_of([arm for arm in arms if arm.style in shown])
    return Drawing(title, chart, source='the table "Scores" and comparison.json', key=key)


def how_to_read(large: str, baseline: str, *, seeds: bool) -> str:
    """What dots, bars and strokes are; `large` is what the large dots are of, `baseline` the grey stroke."""
    dots = f"Large dot: {large}; small dots: its seeds." if seeds else f"Dot: {large}."
    before = "the untrained encoder" if baseline == UNTRAINED else "the encoder before training"
    return f"{dots} Bar: 95 % interval. Grey stroke: {before}."


def key_of(arms: Sequence[ArmFiles]) -> Key:
    """Colours and names of the arms."""
    return [(arm.style, arm.label) for arm in arms]
