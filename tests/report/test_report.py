"""Pages in the terminal and as Markdown: a comparison, and the summary of a run."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from built_runs import one_of_nine
from markdown_it import MarkdownIt
from rich.console import Console
from scipy import stats

from dcp.comparison.compare import compare
from dcp.report import render
from dcp.report.comparison_page import comparison_page
from dcp.report.html import reports
from dcp.report.page import Grid, Lines, Page, duration, figure, memory, significant
from dcp.report.summary_page import summary_page

MARKDOWN = """\
# Comparison of stl10_directcopy and stl10_byol

In linear top1, stl10_directcopy is better than stl10_byol by 3.0 points (95 % interval 2.1 to 4.3, p \\< 1e-6).

One seed each: this compares the trained encoders, on images like the test images. It does not say which recipe is \
better: other seeds may reverse the order. Train several (--seeds 0-4).

| arm | seeds | linear top1 in % | minus stl10_directcopy | state | time | images/s |
| :--- | ---: | ---: | ---: | :--- | ---: | ---: |
| stl10_directcopy | 1 | 63.0 \\[60.0, 65.9\\] | - | healthy | 1 h 02 min | 1,234 |
| stl10_byol | 1 | 60.0 \\[56.9, 63.0\\] | -3.0 \\[-4.3, -2.1\\] worse | failed | 1 h 02 min | 1,234 |
| untrained | - | 25.0 | - | - | - | - |

One seed each \\[95 % interval over test images\\]; time: per run.

## Arms

|  | recipe | seeds |
| --- | --- | --- |
| A | stl10_directcopy | 0 |
| B | stl10_byol | 0 |

## Scores

**linear top1 in %, 1,000 test images, primary score**

|  | score | 95 % interval | untrained | minus A (95 % interval) |
| --- | ---: | ---: | ---: | ---: |
| A | 63.00 | 59.96 to 65.94 | 25.00 |  |
| B | 60.00 | 56.93 to 62.99 | 25.00 | -3.00 (-4.25 to -2.11) |

**spectrum rankme, 1,000 test images**

|  | score | 95 % interval | untrained | minus A (95 % interval) |
| --- | ---: | ---: | ---: | ---: |
| A | 45.20 | - | 3.200 |  |
| B | - | - | - | not compared |

## Tests

**B against A, paired over test images: McNemar's exact test**

|  | p | effect | seeds needed |
| --- | ---: | ---: | ---: |
| linear top1 | \\< 1e-6 | - | - |

## What the intervals show

- B against A: lower in linear top1, the primary score.
- B and A are not compared in spectrum rankme: no spectrum probe in stl10_byol.

## What they cover

- The interval of a score is over test images.
- Differences between single seeds have intervals over test images: how much they could change with other \
images of the same kind. How much retraining would change them is not included; for that, train several seeds \
(--seeds 0-4).
- p: how often a difference at least this large would be seen if there were none. A verdict needs an interval that \
excludes 0 and a p of at most 0.05.
- Scores of spectrum describe the features; higher is not better, so there is no test.

## Take care

- stl10_byol-s0 is not finished: it failed (the loss became NaN at step 300).
- No spectrum probe in stl10_byol-s0; dcp probe RUN -e spectrum measures it.

## Settings that differ

|  | A | B |
| --- | ---: | ---: |
| predictor.name | directcopy | mlp |
| predictor.hidden | - | \\[512, 4096\\] |

## Cost per seed

|  | images/s | time | peak memory | steps | device |
| --- | ---: | ---: | ---: | ---: | ---: |
| A | 1,234 | 1 h 02 min | 3.0 GiB | 3,900 | cuda (NVIDIA H200) |
| B | 1,234 | 1 h 02 min | 3.0 GiB | 3,900 | cuda (NVIDIA H200) |

## Collapse

- A, seed 0: healthy (effective rank 45.2 of 128).
- B, seed 0: complete collapse (spread 0.0003 at step 2900).
"""

SUMMARY = """\
# stl10_directcopy-s0: done

## Scores

**linear, 1,000 test images**

|  | score | 95 % interval | untrained |
| --- | ---: | ---: | ---: |
| top1 in % | 63.00 | 59.96 to 65.94 | 25.00 |

**spectrum, 1,000 test images**

|  | score | 95 % interval | untrained |
| --- | ---: | ---: | ---: |
| rankme | 45.20 | - | 3.200 |

## Diagnosis

- No collapse: effective rank 45.2 of 128, over the last steps.
- Spread 0.9312 at step 3,900.

## Speed

- 1,234 images/s, 1 h 02 min, 3,900 steps, peak memory 3.0 GiB, cuda (NVIDIA H200).
"""

RANKME = {
    "score": {"rankme": 45.2},
    "n": 1000,
    "interval": {},
    "random_encoder": {"score": {"rankme": 3.2}},
    "data": {"source": "stl10", "train": "train of stl10", "test": "test of stl10"},
}
FAILED = {
    "status": "failed",
    "why": "the loss became NaN at step 300",
    "state": {"name": "complete collapse", "evidence": "spread 0.0003 at step 2900"},
}


@pytest.fixture
def two(build):
    """Two runs, the second worse by 30 of 1000 images, failed, and without a spectrum."""
    index = np.arange(1000)
    first = build(right=index < 630)
    first.write_probe("spectrum", RANKME)
    predictor = {"name": "mlp", "hidden": [512, 4096]}
    return [first, build("stl10_byol", right=index < 600, recipe={"predictor": predictor}, record=FAILED)]


def terminal(renderable, width: int = 80) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def test_a_comparison_in_markdown_reads_like_this(two):
    assert render.markdown(compare(two)) == MARKDOWN


def test_a_summary_in_markdown_reads_like_this(two):
    two[0].append({"kind": "step", "step": 3900, "spread": 0.93123, "effective_rank": 45.2})
    two[0].append({"kind": "step", "step": 3901, "spread": math.nan})
    assert render.page_markdown(summary_page(two[0])) == SUMMARY


def test_terminal_and_markdown_say_the_same_words(two):
    comparison = compare(two)
    marks = str.maketrans(dict.fromkeys("|#*:", " "))
    in_markdown = render.markdown(comparison).replace("---", "").replace("\\", "").translate(marks).split()
    both = terminal(render.result(comparison), 200) + terminal(render.table(comparison))
    in_terminal = both.translate(marks).split()
    # Markdown repeats the header of each group, and has dashes for its lists
    assert set(in_terminal) == set(in_markdown)


def test_a_comparison_fits_80_columns_whatever_the_names(build):
    long = "imagenet100_directpred_frequency_five_and_a_name_that_nobody_would_want_to_type_but_somebody_will"
    runs = [build(long, seed, top1=0.6 + 0.001 * seed) for seed in range(5)]
    for i in range(3):
        recipe = {"predictor": {"name": f"mlp{i}", "sizes": list(range(40)), "path": "x" * 100}}
        runs.append(build(f"{long}{i}", top1=0.1, recipe=recipe, record={"device": "cuda " * 20}))
    text = terminal(render.table(compare(runs)))
    assert max(map(len, text.splitlines())) <= 80
    assert "  A\n    recipe: imagenet100" in text
    for arm in compare(runs).arms:
        assert arm.name[-20:] in text


def bare(text: str) -> str:
    return "".join(text.split())


def test_every_difference_that_is_tested_has_its_p_values_effect_and_seeds_needed(build):
    a, b = [0.60, 0.62, 0.61, 0.60], [0.63, 0.655, 0.645, 0.64]
    runs = [build("a", i, top1=x) for i, x in enumerate(a)] + [build("b", i, top1=x) for i, x in enumerate(b)]
    text = terminal(render.table(compare(runs)))
    assert "  B against A, over seeds, paired: paired t test\n" in text
    one = compare(runs).scores[0].differences[0]
    row = next(line for line in text.splitlines() if line.startswith("    linear top1  "))
    assert row.split()[2:] == ["0.0004", "+6.20", "3"]
    assert (one.p, one.p_holm) == (pytest.approx(stats.ttest_rel(b, a).pvalue),) * 2


def test_the_corrected_p_has_a_column_where_there_is_more_than_one_to_correct(build):
    runs = [build(name, seed, top1=0.5 + seed * ord(name) % 5 / 100) for name in "abc" for seed in range(3)]
    for compared, columns in ((runs[:6], ["p", "effect"]), (runs, ["p", "Holm p", "effect"])):
        page = comparison_page(compare(compared))
        (tests,) = [block for block in page.content() if block.title == "Tests"]
        assert list(tests.columns[1:-1]) == columns
        assert all(len(row) == len(tests.columns) for _, rows in tests.groups for row in rows)
        assert ("Holm" in terminal(render.table(compare(compared)))) == (len(columns) == 3)


def test_an_interval_without_0_that_holms_correction_leaves_open_is_explained(build):
    text = render.markdown(compare(one_of_nine(build)))
    assert "- B against A: undecided in linear top1, the primary score.\n" in text
    assert (
        "- B against A in linear top1: the interval excludes 0, but not after the correction for the number of arms"
        in text
    )


@pytest.fixture
def wide(build):
    """Five arms with long numbers, names and settings, one of them with two seeds."""
    odd = {"score": {"rankme": 123.456, "alignment": 1e-5}, "n": 1000, "interval": {"rankme": [100.1234, 1234.5]}}
    runs = [build(f"stl10_directcopy_{i}", top1=0.1 + i / 10, recipe={"predictor": {"eps": i / 7}}) for i in range(4)]
    runs += [build("seeds", seed, top1=0.5 + seed / 3) for seed in range(2)]
    for i, run in enumerate(runs):
        score = {"rankme": odd["score"]["rankme"] + i / 3, "alignment": i * odd["score"]["alignment"]}
        run.write_probe("spectrum", {**odd, "score": score})
    return runs


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("kind", ["comparison", "summary"])
def test_no_cell_loses_a_character_and_no_number_is_broken_at_any_width(wide, width, kind):
    page = comparison_page(compare(wide)) if kind == "comparison" else summary_page(wide[3])
    lines = terminal(render.terminal(page), width).splitlines()
    for block in page.content():
        rows = [row for _, rows in block.groups for row in rows] if isinstance(block, Grid) else [block.lines]
        for cell in (cell for row in rows for cell in row):
            assert bare(cell) in bare("".join(lines)), cell
            for word in cell.split() if block.title == "Scores" else []:
                assert any(word in line for line in lines), word
    assert max(map(len, lines)) <= width
    assert all(line == line.rstrip() for line in lines)


def test_columns_that_do_not_fit_stand_below_their_row_with_their_name(two):
    text = terminal(render.table(compare(two)), 60)
    assert "    B  60.00  56.93 to 62.99      25.00\n      minus A (95 % interval): -3.00 (-4.25 to -2.11)\n" in text
    assert "-3.00 (-4.25 to -2.11)" in terminal(render.table(compare(two)), 40).replace("\n        ", " ")


def test_the_terminal_shows_the_main_scores_of_the_spectrum_and_markdown_shows_all(two):
    score = {"rankme": 45.2, "nesum": 3.0, "alignment": 1.0, "F_effective_rank": 2.0, "participation_ratio": 4.0}
    for run in two:
        run.write_probe("spectrum", {**RANKME, "score": score})
    comparison = compare(two)
    text = terminal(render.table(comparison))
    assert all(name in text for name in ("rankme", "alignment", "F_effective_rank", "participation_ratio"))
    assert "nesum" not in text
    assert "nesum" in render.markdown(comparison)
    assert "nesum" in render.page_markdown(summary_page(two[0]))


def test_a_summary_in_a_terminal_has_one_rank_of_the_features_and_one_of_the_projections_and_one_spread(build):
    run = build(top1=0.6, record={"state": {"name": "healthy", "evidence": "spread 0.93 of 1, effective rank 45.2"}})
    run.append({"kind": "step", "step": 9, "spread": 0.91, "effective_rank": 44.0})
    ranks = {"rankme": 45.2, "F_effective_rank": 2.0, "participation_ratio": 4.0, "stable_rank": 3.0}
    run.write_probe("spectrum", {**RANKME, "score": {**ranks, "alignment": 1.0}})
    text = terminal(render.summary(run))
    assert "alignment" not in text
    assert re.findall(r".*rank.*", text) == [
        "    rank of features (rankme)  45.20               -      3.200",
        "  No collapse: spread 0.93 of 1, effective rank 45.2, over the last steps.",
    ]
    assert text.count("spread") == 1


@pytest.mark.parametrize(
    ("state", "evidence", "said"),
    [
        ("views too strong", "0.89 times as far apart", ["Spread", "Effective rank"]),
        ("dimensional collapse", "vary along 1.20 dimensions only (spread 0.50 of 1)", ["Effective rank"]),
        ("complete collapse", "all the same", []),
    ],
)
def test_spread_and_rank_are_told_once_whatever_the_diagnosis(build, state, evidence, said):
    run = build(top1=0.6, record={"state": {"name": state, "evidence": evidence}})
    run.append({"kind": "step", "step": 9, "spread": 0.91, "effective_rank": 44.0})
    text = terminal(render.summary(run))
    assert [words for words in ("Spread", "Effective rank") if f"  {words} " in text] == said


def test_without_a_diagnosis_a_summary_has_the_last_spread_and_rank(build):
    run = build(top1=0.6, record={"state": {"name": "", "evidence": ""}})
    run.append({"kind": "step", "step": 9, "spread": 0.91, "effective_rank": 44.0})
    text = terminal(render.summary(run))
    assert "  Spread 0.9100 at step 9.\n  Effective rank 44.00 at step 9.\n" in text


@pytest.mark.parametrize(("top1", "said"), [(0.2, True), (0.25, True), (0.26, False)])
def test_healthy_with_scores_of_an_untrained_encoder_is_said_to_be_no_better(build, top1, said):
    run = build(top1=top1)  # untrained 0.25
    text = " ".join(terminal(render.summary(run)).split())
    sentence = f"But no better than before training in linear ({100 * top1:.2f}%, untrained 25.00%)."
    assert (sentence in text) == said
    collapsed = build("other", top1=top1, record={"state": {"name": "complete collapse", "evidence": "all the same"}})
    assert "no better" not in terminal(render.summary(collapsed))


def test_the_device_of_each_sitting_is_told(build):
    one, two = {"device": "cpu (1 thread)"}, {"device": "cpu (2 threads)"}
    run = build(top1=0.6, record={"device": "cpu (1 thread)", "sittings": [one, two, two, one]})
    assert "cpu (1 thread), then cpu (2 threads), then cpu (1 thread)." in " ".join(
        terminal(render.summary(run)).split()
    )
    assert "steps, peak memory 3.0 GiB, cpu (1 thread)." in terminal(
        render.summary(build("old", top1=0.6, record={"device": "cpu (1 thread)"}))
    )


def test_the_scores_alone_are_shown_with_the_names_of_the_arms(two):
    text = terminal(render.table(compare(two), scores_only=True))
    assert "linear top1" in text
    assert "B  stl10_byol" in text
    assert not [title for title in ("What the", "Take care", "Settings", "Cost", "Collapse") if title in text]
    text = terminal(render.summary(two[0], scores_only=True))
    assert "63.00" in text
    assert not [title for title in ("Diagnosis", "Speed") if title in text]


def test_a_difference_of_rounding_is_shown_as_0_and_found_in_no_sentence(build):
    runs = []
    for i in range(6):
        recipe = {"predictor": {"eps": i // 3}}
        runs.append(build(f"arm{i // 3}", i % 3, recipe=recipe))
        runs[-1].write_probe("spectrum", {**RANKME, "score": {"alignment": 1.0 + (i % 4) * 2.2e-16}})
    text = render.markdown(compare(runs))
    (row,) = [line for line in text.splitlines() if line.startswith("| B | 1.000")]
    assert row.endswith("| 0 |")
    assert "in spectrum alignment" not in text


def test_a_score_that_two_seeds_leave_open_is_named_once_with_the_reason(build):
    runs = [build(top1=0.5), build(seed=1, top1=0.51), build("b", 0, top1=0.9), build("b", 1, top1=0.92)]
    text = render.markdown(compare(runs))
    assert "- B against A: undecided in linear top1: 2 seeds are too few.\n" in text
    assert text.count("linear top1:") == 1


def test_columns_of_one_grid_are_in_line_in_all_of_its_groups(two):
    lines = terminal(render.table(compare(two))).splitlines()
    header = next(line for line in lines if "untrained" in line)
    rows = [line for line in lines if line.startswith("    A ")]
    assert len(rows) == 2
    for row in rows:
        assert row[: header.index("untrained") + len("untrained")].rstrip()[-1].isdigit()
        assert row[header.index("score") : header.index("score") + 5].strip()


def test_text_in_brackets_is_not_taken_for_markup(build):
    runs = [build(), build("b", record={"status": "failed", "why": "shape [bold]3[/bold] at [0]"})]
    assert "shape [bold]3[/bold] at [0]" in terminal(render.table(compare(runs)), width=200)


def test_table_signs_in_a_reason_do_not_break_markdown(build):
    runs = [build(), build("b", top1=0.5, record={"status": "failed", "why": "a|b\nc*d<e"})]
    assert "- b-s0 is not finished: it failed (a\\|b c\\*d\\<e).\n" in render.markdown(compare(runs))


NAMES = (
    "[a](http://e.com)", "![a](x.png)", "[a]: http://x", "`code`", "# head", "<b>", "a|b", "_x_", "__init__", "**b**",
    "~~s~~", "https://evil.com/x", "www.evil.com", "knn@my.pets", "&lt;", "&#60;", "1. x", "10) y", "- z", "+ q", "> q",
    "---", "===", "a\\", "![", "]", "    code", "* x", "cifar10_directcopy", "linear@cifar100", "[0.08, 1.0]", "-3.0",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_name_makes_nothing_of_markdown_and_is_shown_as_it_is(name: str):
    grid = Grid(name, (name, name), ((name, ((name, name),)),))
    text = render.page_markdown(Page(name, (grid, Lines(name, (name,)))))
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    tags = {"h1", "h2", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", ""}
    assert {token.tag for token in tokens} <= tags
    inline = [token.children for token in tokens if token.type == "inline"]
    assert {child.type for children in inline for child in children} <= {"text", "strong_open", "strong_close"}
    assert {"".join(child.content for child in children) for children in inline} <= {name, name.strip()}
    assert len(inline) == 9
    assert not re.search(r"(?<!\\)(:(?=//)|(?<=www)\.|@(?=my))", text)  # which GitHub makes a link of


def test_what_a_terminal_would_obey_is_shown_escaped_in_every_form_of_the_report(build):
    odd = "\x1b[31mred\x07\u202eback\nnext"
    recipe = {"data": {"source": odd}, "optimizer": {"schedule": odd}}
    runs = [build(), build("b", recipe=recipe, record={"status": "failed", "why": odd, "device": odd})]
    compared = compare(runs)
    texts = [terminal(page, 200) for page in (render.table(compared), render.summary(runs[1]))]
    texts += [render.markdown(compared), render.page_markdown(summary_page(runs[1]))]
    texts += [reports.comparison_html(compared), reports.run_html(runs[1])]
    for text in texts:
        assert all(line.isprintable() for line in text.split("\n"))
        assert "x1b[31mred" in text.replace("\\[", "[")  # as Markdown has it


def test_seeds_that_are_healthy_share_a_line_and_a_collapsed_one_has_its_own(build):
    collapsed = {"state": {"name": "dimensional collapse", "evidence": "rank 2 of 128"}}
    runs = [build(seed=0), build(seed=1, record=collapsed), build(seed=2), build(seed=3, record=collapsed)]
    assert render.markdown(compare(runs)).endswith(
        "- A, seeds 0 and 2: healthy (effective rank 45.2 of 128).\n"
        "- A, seed 1: dimensional collapse (rank 2 of 128).\n"
        "- A, seed 3: dimensional collapse (rank 2 of 128).\n"
    )


def test_one_arm_has_no_column_for_differences(build):
    text = render.markdown(compare([build(seed=0, top1=0.6), build(seed=1, top1=0.62)]))
    assert "minus A" not in text
    assert "| A | 61.00 | 48.29 to 73.71 | 25.00 |" in text


def test_the_summary_of_a_run_that_knows_nothing_yet_is_short(tmp_path: Path):
    from dcp.runs.run import Run

    run = Run.create(tmp_path, "tiny", 0, "", {"status": "failed"})
    words = terminal(render.summary(run)).split()
    assert " ".join(words) == "tiny-s0: failed Not finished; what follows is as of its last files."


def test_numbers_carry_their_unit_from_here_on():
    assert (figure("top1", 0.12345), figure("top5", 1.0), figure("nesum", 0.12345)) == ("12.35", "100.00", "0.1235")
    assert [*map(duration, (0, 59.99, 3599.6, 90000))] == ["0.0 s", "1 min 00 s", "1 h 00 min", "25 h 00 min"]
    assert [*map(memory, (0, 1.5 * 2**30))] == ["0 MiB", "1.5 GiB"]
    assert [*map(significant, (1e-9, 999.96, -12.0))] == ["1.000e-09", "1000", "-12.00"]
