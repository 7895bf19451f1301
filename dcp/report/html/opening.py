"""The first screen: the answer in a sentence, the primary score as a picture, what is left open, a table."""

from collections.abc import Sequence
from html import escape

from dcp.comparison.compare import Comparison
from dcp.report.answer import Answer, answer, answer_of_run, overview
from dcp.report.charts.estimates import Estimate, Row, draw_estimates
from dcp.report.html.document import Drawing, Section, bullets, chart_figure, grid
from dcp.report.html.estimates import stroke
from dcp.report.html.run_files import ArmFiles, RunFiles

PERCENT = (0.0, 100.0)
HOW_TO_READ = "Large dot: the arm; small dots: its seeds. Bar: 95 % interval. Grey stroke: "


def opening(comparison: Comparison, arms: Sequence[ArmFiles]) -> Section:
    """The answer of a comparison."""
    letters = {arm.name: arm.letter for arm in arms}
    chart, said = primary_chart(comparison, arms), answer(comparison, letters)
    words = f'<div class="limits"><h2>What it does not say</h2>{bullets(said.limits)}</div>' if said.limits else ""
    picture = chart_figure(chart) if chart else ""
    beside = f'<div class="beside">{picture}{words}</div>' if picture or words else ""
    arms_table, more = overview(comparison, letters)
    table = grid(arms_table.clean()) + (f'<p class="soft">{escape(more)}</p>' if more else "")
    return Section("", lead(said) + beside + table, drawings=(chart,) if chart else ())


def opening_of_run(files: RunFiles, scores: Section, words: Sequence[Section]) -> Section:
    """A run: its primary score beside the untrained encoder, its scores as a picture, its diagnosis."""
    beside = "".join(f"<h2>{escape(each.title)}</h2>{each.body}" if each.title else each.body for each in words)
    picture = "".join(map(chart_figure, scores.drawings))
    body = f'<div class="beside">{picture}<div>{beside}</div></div>' if picture or beside else ""
    return Section("", lead(answer_of_run(files.run)) + body, scores.missing, scores.drawings)


def lead(said: Answer) -> str:
    """The sentence, and what makes it matter less."""
    warning = f" <strong>{escape(said.warning)}</strong>" if said.warning else ""
    return f'<p class="lead">{escape(said.sentence)}{warning}</p>'


def primary_chart(comparison: Comparison, arms: Sequence[ArmFiles]) -> Drawing | None:
    """Each arm's primary score with interval, seeds and untrained encoder; None where no run has one."""
    if (row := comparison.primary) is None:
        return None
    rows = [
        Row("", (Estimate(arm.style, arm.label, score.mean, score.interval, score.values, score.untrained).times(100),))
        for arm, score in zip(arms, row.arms, strict=True)
        if score.mean is not None
    ]
    title = f"{row.name} of each arm"
    chart = draw_estimates(rows, name="answer", title=title, x=f"{row.name} in %", limits=PERCENT)
    source = f"comparison.json, from probes/{row.evaluation}.json of each run"
    return Drawing(title, chart, f"{HOW_TO_READ}{stroke(comparison.baseline)}", source)
