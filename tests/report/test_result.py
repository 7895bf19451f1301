"""What a comparison comes to: the sentence, the table of its arms, and the table in four forms."""

import csv
import io
import re

import pytest
from built_runs import probe
from rich.console import Console

from dcp.comparison.compare import compare
from dcp.comparison.missing_runs import Absent
from dcp.report import render, tables
from dcp.report.escapes import in_latex
from dcp.report.result import result_table
from dcp.report.tables import Cell, Column, Table
from dcp.report.terminal import table_lines

LEAST = "with two seeds no narrower than over test images"
ODD = r"a_b & 5% of #1 {x} \y ~ ^ $z <|>"


def seeds(build, name: str, values, **options):
    return [build(name, seed, top1=value, **options) for seed, value in enumerate(values)]


def linear(name: str, **recipe):
    return {"predictor": {"name": name}, **recipe}


def column(table: Table, key: str) -> list[Cell]:
    (place,) = [i for i, each in enumerate(table.columns) if each.key == key]
    return [row[place] for row in table.rows]


# the table of the arms


def test_each_arm_has_its_primary_score_knn_state_and_cost_and_the_untrained_encoder_a_row(build):
    collapsed = {"state": {"name": "complete collapse"}}
    runs = [*seeds(build, "a", [0.60, 0.62]), build("a", 2, top1=0.64, record=collapsed)]
    runs += seeds(build, "b", [0.5, 0.51, 0.53], recipe=linear("mlp"))
    for run in runs:
        run.write_probe("knn", probe(0.4 + run.seed / 100, 1000))
    table = result_table(compare(runs))
    a, b, untrained = table.texts()
    assert a[0:3] == ["a", "3", "62.0 [57.0, 67.0]"]
    assert a[-3:] == ["2 healthy, 1 complete collapse", "1 h 02 min", "1,234"]
    assert [each.name for each in table.columns if not each.optional] == [
        *("arm", "linear top1 in %", "knn top1 in %", "state", "time")
    ]
    assert b[4].endswith(" worse")
    assert untrained == ["untrained", "-", "25.0", "25.0", "-", "-", "-", "-"]
    assert table.note == "Mean over 3 seeds [95 % interval over seeds]; time: per run."


@pytest.mark.parametrize(
    ("a", "b", "shown", "over"),
    [
        (
            [0.84, 0.84, 0.84],
            [0.5, 0.51, 0.53],
            "84.0 [81.6, 86.1]",
            "over seeds, or over test images if the seeds agree",
        ),
        ([0.84, 0.84], [0.84, 0.84], "84.0 [81.6, 86.1]", "over test images"),
        ([0.84, 0.841], [0.84, 0.85], "84.0 [81.7, 86.2]", f"over seeds, {LEAST}"),
        ([0.84, 0.90], [0.84, 0.85], "87.0 [48.9, 100.0]", f"over seeds, {LEAST}"),
        ([0.84], [0.84, 0.85, 0.86], "84.0 [81.6, 86.1]", "over seeds, or over test images if there is one seed"),
        ([0.84], [0.84, 0.84], "84.0 [81.6, 86.1]", "over test images"),
    ],
)
def test_no_interval_is_narrower_for_seeds_that_agree_than_over_test_images(build, a, b, shown, over):
    runs = [*seeds(build, "a", a, n=1000), *seeds(build, "b", b, n=1000, recipe=linear("mlp"))]
    table = result_table(compare(runs))
    assert column(table, "linear.top1")[0].text == shown
    assert f"[95 % interval {over}]" in table.note


def test_where_seeds_agree_and_there_is_no_interval_over_test_images_there_is_none(build):
    runs = [build(name, seed, top1=0.84, interval={}) for name in "ab" for seed in range(3)]
    comparison = compare(runs)
    table = result_table(comparison)
    assert column(table, "linear.top1")[0].text == "84.0"
    assert "interval" not in table.note
    assert comparison.primary.differences[0].interval is None


def test_an_arm_of_which_no_run_finished_has_a_row_and_missing_seeds_are_counted(build):
    absent = [Absent("a", 2, "diverged"), Absent("c", 0, "diverged"), Absent("c", 1, "no folder")]
    runs = [*seeds(build, "a", [0.60, 0.62]), *seeds(build, "b", [0.5, 0.51, 0.53], recipe=linear("mlp"))]
    table = result_table(compare(runs, absent))
    assert [cell.text for cell in column(table, "arm")] == ["a", "b", "c", "untrained"]
    assert [cell.text for cell in column(table, "state")][:3] == [
        *("2 healthy, 1 diverged", "healthy", "1 diverged, 1 no folder")
    ]
    assert [cell.value for cell in column(table, "seeds")] == [2, 3, 0, None]
    assert not next(each for each in table.columns if each.key == "seeds").optional


@pytest.mark.parametrize(
    ("recipe", "before", "common"),
    [
        ({"predictor": {"eps": 0.1}}, 0.25, True),
        ({"network": {"width": 8}}, 0.25, False),
        ({"views": {"normalize": "cifar10"}}, 0.25, False),
        ({"views": {"flip": 0.0}}, 0.25, True),
        ({"predictor": {"eps": 0.1}}, 0.4, False),  # whatever made them differ
    ],
)
def test_untrained_encoders_that_differ_have_no_common_row(build, recipe, before, common):
    runs = [build("a", top1=0.5), build("b", recipe=recipe)]
    images = {"source": "stl10", "train": "train of stl10", "test": "test of stl10"}
    runs[1].write_probe("linear", {**probe(0.6, 8000), "random_encoder": {"score": {"top1": before}}, "data": images})
    names = [row[0].text for row in result_table(compare(runs)).rows]
    assert names == ["a", "b", *(["untrained"] if common else [])]


def test_ten_thousand_test_images_are_worth_a_second_digit(build):
    table = result_table(compare([build("a", top1=0.61234, n=10_000), build("b", top1=0.6, n=10_000)]))
    assert column(table, "linear.top1")[0].text.startswith("61.23 [60.")


# in four forms


@pytest.fixture
def arms(build):
    runs = []
    for i, name in enumerate(("small-directcopy", "small-mlp", "small-identity")):
        state = {"state": {"name": "dimensional collapse"}} if i else {}
        runs += seeds(build, name, [0.60 + i / 9, 0.62, 0.61], recipe=linear(name), record=state)
    for run in runs:
        run.write_probe("knn", probe(0.4 + run.seed / 10, 1000))
    return compare(runs)


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_no_word_and_no_number_is_broken_at_any_width(arms, width):
    table = result_table(arms)
    lines = [text for text, _ in table_lines(table, width)]
    kept = [i for i, each in enumerate(table.columns) if not each.optional]
    for row in table.texts():
        for i in kept:
            parts = [row[i]] if table.columns[i].number else row[i].split()
            for part in parts:
                assert any(part in line for line in lines) or part == "-", (part, lines)
    assert max(map(len, lines)) <= width
    assert all(line == line.rstrip() for line in lines)


def test_80_columns_hold_every_arm_in_line_and_wide_terminals_more_columns(arms):
    narrow = [text for text, _ in table_lines(result_table(arms), 80)]
    assert [line.split()[0] for line in narrow if line.startswith("small")] == [
        *("small-directcopy", "small-mlp", "small-identity")
    ]
    assert narrow[1].endswith("1 h 02 min")
    assert "images/s" not in narrow[0]
    assert "images/s" in next(table_lines(result_table(arms), 200))[0]


def test_csv_is_read_back_as_the_numbers_of_the_comparison(arms):
    first, *_ = csv.DictReader(io.StringIO(tables.as_csv(result_table(arms))))
    score = arms.primary.arms[0]
    ends = [float(first[f"linear.top1{end}"]) for end in ("", ".low", ".high")]
    assert ends == [score.mean, *score.interval]
    assert (first["arm"], first["state"], float(first["wall_s"])) == ("small-directcopy", "healthy", 3723.0)
    assert (first["linear.top1.difference"], first["seeds"]) == ("", "3")


def odd(text: str) -> Table:
    return Table((Column(text, "odd", number=False), Column("n", "n")), ((Cell(text, text), Cell("-3", -3)),), text)


def test_csv_keeps_commas_quotes_and_lines_in_their_cells():
    rows = list(csv.reader(io.StringIO(tables.as_csv(odd('a, "b"\nc')))))
    assert rows == [["odd", "n"], ['a, "b" c', "-3"]]


def test_latex_shows_every_sign_as_it_is_and_has_as_many_cells_in_each_row(arms):
    assert in_latex(ODD) == (
        r"a\_b \& 5\% of \#1 \{x\} \textbackslash{}y \textasciitilde{} \textasciicircum{} \$z"
        r" \textless{}\textbar{}\textgreater{}"
    )
    assert in_latex("-1.5 a-b 3-4") == "$-$1.5 a-b 3-4"
    assert "\n{}[a] & $-$3 \\\\\n" in tables.latex(odd("[a]"))
    text = tables.latex(result_table(arms))
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    sides = re.search(r"\\begin\{tabular\}\{([lr]+)\}", text)[1]
    assert {len(re.split(r"(?<!\\)&", row)) for row in rows} == {len(sides)}
    assert r"linear top1 in \%" in rows[0]


def test_markdown_shows_names_as_they_are():
    assert tables.markdown(odd("a|b *c*")).splitlines()[2] == r"| a\|b \*c\* | -3 |"


def test_the_terminal_begins_with_the_answer(arms):
    console = Console(width=80, color_system=None)
    with console.capture() as capture:
        console.print(render.result(arms))
    lines = capture.get().splitlines()
    assert lines[0].startswith("In linear top1, compared with small-directcopy (61.0 %):")
    assert max(map(len, lines)) <= 80
    assert all(line == line.rstrip() for line in lines)


def test_where_names_are_long_they_stand_above_their_numbers_and_then_the_last_columns_below(arms):
    lines = [text for text, _ in table_lines(result_table(arms), 60)]
    assert lines[1:3] == ["small-directcopy", "  61.0 [58.5, 63.5]  50.0 [25.2, 74.8]  healthy"]
    assert lines[3] == "  time: 1 h 02 min"
