"""The first screen: the answer in a sentence, the primary score as a picture, what is left open, a table."""

from collections.abc import Sequence
from html import escape

from dcp.comparison.compare import Comparison
from dcp.report.answer import Answer, answer, answer_of_run
from dcp.report.charts.canvas import plain
from dcp.report.charts.estimates import Estimate, Row, draw_estimates, fits
from dcp.report.html.document import Drawing, Section, bullets, chart_figure, grid
from dcp.report.html.estimates import PERCENT, how_to_read, key_of
from dcp.report.html.run_files import ArmFiles, RunFiles
from dcp.report.page import count
from dcp.report.result import result_table
from dcp.runs.records import is_share

MOST_SETTINGS = 3  # columns of the table


def opening(comparison: Comparison, arms: Sequence[ArmFiles]) -> Section:
    """The answer of a comparison."""
    chart, said = primary_chart(comparison, arms), answer(comparison)
    words = f'<div class="limits"><h2>What it does not say</h2>{bullets(said.limits)}</div>' if said.limits else ""
    picture = chart_figure(chart) if chart else ""
    beside = f'<div class="beside">{picture}{words}</div>' if picture or words else ""
    return Section("", lead(said) + beside + arms_table(comparison), drawings=(chart,) if chart else ())


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


def arms_table(comparison: Comparison) -> str:
    """The table of the terminal, and what the arms do differently.

    Keys that not all arms have are those of a variant, and left out beside others.
    """
    everywhere = [setting for setting in comparison.settings if None not in setting.values]
    settings = (everywhere or comparison.settings)[:MOST_SETTINGS]
    table, left = result_table(comparison, settings), len(comparison.settings) - len(settings)
    more = f"{count(left, 'further setting')} differ{'s' * (left == 1)}: Settings, cost and state." if left else ""
    notes = "".join(f'<p class="soft">{escape(line)}</p>' for line in (table.note, more) if line)
    return grid(table.grid("The arms").clean()) + notes


def primary_chart(comparison: Comparison, arms: Sequence[ArmFiles]) -> Drawing | None:
    """Each arm's primary score with interval, seeds and untrained encoder; None where no run has one.

    The lines have the arms' names, or where these are long their letters, and the names stand below.
    """
    if (row := comparison.primary) is None:
        return None
    share, named = is_share(row.score), all(fits(plain(arm.label)) for arm in arms)
    rows = [
        Row(
            "",
            (
                Estimate(
                    arm.style,
                    arm.label if named else arm.letter,
                    score.mean,
                    score.interval,
                    score.values,
                    score.untrained,
                ).times(100.0 if share else 1.0),
            ),
        )
        for arm, score in zip(arms, row.arms, strict=True)
        if score.mean is not None
    ]
    title, x = f"{row.name} of each arm", f"{row.name}{' in %' * share}"
    chart = draw_estimates(rows, name="answer", title=title, x=x, limits=PERCENT if share else None)
    seeds = any(len(score.values) > 1 for score in row.arms)
    source = f"comparison.json, from probes/{row.evaluation}.json of each run"
    return Drawing(
        title, chart, how_to_read("the arm", comparison.baseline, seeds=seeds), source, () if named else key_of(arms)
    )
