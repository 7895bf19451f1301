"""The first screen of a page: the answer, the primary score as a picture, and the table of the terminal."""

import re

import pytest

from dcp.comparison.compare import compare
from dcp.comparison.missing_runs import Absent
from dcp.report.charts.canvas import WIDTH
from dcp.report.charts.estimates import Estimate, Row, draw_estimates, fits
from dcp.report.html import reports
from dcp.report.result import result_table
from dcp.runs.run import Run


def arms(full, *names, seeds=1):
    """Runs of arms that differ in their predictor, each a little worse than the one before."""
    return [full(name, seed, predictor=name, wrong=6 + 3 * i) for i, name in enumerate(names) for seed in range(seeds)]


def first_screen(page: str) -> str:
    return " ".join(re.sub("<[^>]+>", " ", page[page.index("<main>") : page.index("<details>")]).split())


def test_the_table_of_the_page_is_that_of_the_terminal_with_what_the_arms_do_differently(full):
    runs = [full("a", state={"name": "healthy"}), full("b", predictor="mlp", status="failed", why="the disk is full")]
    comparison = compare(runs, [Absent("a", 1, "diverged"), Absent("c", 0, "no folder")])
    said, table = first_screen(reports.comparison_html(comparison)), result_table(comparison, comparison.settings)
    assert [column.key for column in table.columns][:2] == ["arm", "predictor.name"]
    for row in table.texts():
        assert " ".join(row) in said
    assert [(row[0], row[-3]) for row in table.texts()] == [
        *(("a", "1 healthy, 1 diverged"), ("b", "failed"), ("c", "no folder"), ("untrained", "-"))
    ]
    assert table.note in said


def test_arms_have_the_same_names_in_the_sentence_its_limits_and_the_table(full):
    said = first_screen(reports.comparison_html(compare(arms(full, "first", "second", "third", seeds=3))))
    assert "Each arm is tested against first only" in said
    assert "compared with first (" in said


def test_a_primary_score_that_is_no_share_is_drawn_in_its_own_unit(make):
    runs = [make(name, predictor=name) for name in "ab"]
    for run, score in zip(runs, (0.42, -0.1), strict=True):
        recipe = run.path / "recipe.toml"
        recipe.write_text(
            recipe.read_text(encoding="utf-8") + '[probe]\nprimary = "clustering.ari"\n', encoding="utf-8"
        )
        run.write_probe("clustering", {"score": {"ari": score}, "n": 60, "data": {"test": "t"}})
    page = reports.comparison_html(compare([Run.open(run.path) for run in runs]))
    chart = page[page.index("clustering ari of each arm") :]
    assert "<desc>clustering ari. A a 0.42; B b -0.1.</desc>" in chart
    assert "in %" not in chart[: chart.index("</figure>")]
    ticks = [float(text.replace("\u2212", "-")) for text in re.findall(r">([-\u2212]?\d\.\d+)</text>", chart)]
    assert min(ticks) <= -0.1 < 0.4 <= max(ticks)


def test_long_names_stand_below_the_first_chart_and_short_ones_in_it(full):
    long = "a_name_of_sixty_six_letters_as_studies_make_them_of_their_settings"
    for names, shown, below in (((long, "short"), "A", True), (("one", "two"), "A one", False)):
        page = reports.comparison_html(compare([full(name, predictor=name) for name in names]))
        chart = page[page.index("linear top1 of each arm") :]
        chart = chart[: chart.index("</figure>")]
        assert f">{shown}</text>" in chart
        assert (f"A {names[0]}</li>" in chart) == below
        starts = [float(x) for x in re.findall(r'<text [^>]*x="(-?[\d.]+)"', chart)]
        assert min(starts, default=0.0) >= 0


@pytest.mark.parametrize("name", ["linear top1", "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW top1", "i" * 80])
def test_no_label_is_wider_than_its_place(name):
    row = Row(name, (Estimate(0, "A", 1.0), Estimate(1, "B", 2.0)))
    chart = draw_estimates([row], name="n", title="t", x="x")
    (label,) = re.findall(r">([^<]*  A)</text>", chart.svg())
    assert fits(label)
    assert chart.left <= WIDTH / 2
    assert ("…" in label) == (name != "linear top1")


def test_how_to_read_a_chart_says_what_is_in_it(full):
    assert "small dots" not in reports.run_html(full("a"))
    assert "small dots: its seeds" in reports.comparison_html(compare(arms(full, "c", "d", seeds=2)))
