import math
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from dcp import report
from dcp.comparison import compare
from dcp.report.page import duration, figure, memory, significant

MARKDOWN = """\
# Comparison of stl10_directcopy and stl10_byol

## Arms

|  | recipe | seeds |
| --- | --- | --- |
| A | stl10_directcopy | 0 |
| B | stl10_byol | 0 |

## Scores

**linear top1 in %, 1,000 test images**

|  | score | 95 % interval | untrained | minus A (95 % interval) |
| --- | ---: | ---: | ---: | ---: |
| A | 63.00 | 59.96 to 65.94 | 25.00 |  |
| B | 60.00 | 56.93 to 62.99 | 25.00 | -3.00 (-4.06 to -1.94) |

**spectrum rankme, 1,000 test images**

|  | score | 95 % interval | untrained | minus A (95 % interval) |
| --- | ---: | ---: | ---: | ---: |
| A | 45.20 | - | 3.200 |  |
| B | - | - | - | not compared |

## What the intervals show

- B against A: lower in linear top1.
- B and A are not compared in spectrum rankme: no spectrum probe in stl10_byol.

## What they cover

- The interval of a score is over the test images.
- Differences between single seeds have intervals over test images: how far they could move with other \
images of the same kind. They say nothing about how training varies from seed to seed; for that, \
train several (--seeds 0-4).

## Take care

- stl10_byol-s0 is not finished: it failed (the loss became NaN at step 300).
- No spectrum probe in stl10_byol-s0; `dcp probe` makes it.

## Settings that differ

|  | A | B |
| --- | ---: | ---: |
| predictor.name | directcopy | mlp |
| predictor.hidden | - | [512, 4096] |

## Cost of a seed

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

## Collapse

- No collapse: effective rank 45.2 of 128.
- Spread 0.9312 at step 3,900.
- Effective rank 45.20 at step 3,900.

## Speed

- 1,234 images/s, 1 h 02 min, 3,900 steps, peak memory 3.0 GiB, cuda (NVIDIA H200).
"""

RANKME = {"score": {"rankme": 45.2}, "n": 1000, "interval": {}, "random_encoder": {"score": {"rankme": 3.2}}}
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


def drawn(renderable, width: int = 80) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def test_a_comparison_in_markdown_reads_like_this(two):
    assert report.markdown(compare(two)) == MARKDOWN


def test_a_summary_in_markdown_reads_like_this(two):
    two[0].append({"kind": "step", "step": 3900, "spread": 0.93123, "effective_rank": 45.2})
    two[0].append({"kind": "step", "step": 3901, "spread": math.nan})
    assert report.summary_markdown(two[0]) == SUMMARY


def test_terminal_and_markdown_say_the_same_words(two):
    comparison = compare(two)
    marks = str.maketrans(dict.fromkeys("|#*:", " "))
    in_markdown = report.markdown(comparison).replace("---", "").translate(marks).split()
    in_terminal = drawn(report.table(comparison)).translate(marks).split()
    # Markdown repeats the header of each group, and has dashes for its lists
    assert set(in_terminal) == set(in_markdown)


def test_a_comparison_fits_80_columns_whatever_the_names(build):
    long = "imagenet100_directpred_frequency_five_and_a_name_that_nobody_would_want_to_type_but_somebody_will"
    runs = [build(long, seed, top1=0.6 + 0.001 * seed) for seed in range(5)]
    for i in range(3):
        recipe = {"predictor": {"name": f"mlp{i}", "sizes": list(range(40)), "path": "x" * 100}}
        runs.append(build(f"{long}{i}", top1=0.1, recipe=recipe, record={"device": "cuda " * 20}))
    text = drawn(report.table(compare(runs)))
    assert max(map(len, text.splitlines())) <= 80
    assert "  A  imagenet100" in text
    for arm in compare(runs).arms:
        assert arm.name[-20:] in text


def test_columns_of_one_grid_are_in_line_in_all_of_its_groups(two):
    lines = drawn(report.table(compare(two))).splitlines()
    header = next(line for line in lines if "untrained" in line)
    rows = [line for line in lines if line.startswith("    A ")]
    assert len(rows) == 2
    for row in rows:
        assert row[: header.index("untrained") + len("untrained")].rstrip()[-1].isdigit()
        assert row[header.index("score") : header.index("score") + 5].strip()


def test_text_in_brackets_is_not_taken_for_markup(build):
    runs = [build(), build("b", record={"status": "failed", "why": "shape [bold]3[/bold] at [0]"})]
    assert "shape [bold]3[/bold] at [0]" in drawn(report.table(compare(runs)), width=200)


def test_table_signs_in_a_reason_do_not_break_markdown(build):
    runs = [build(), build("b", record={"status": "failed", "why": "a|b\nc*d<e"})]
    assert "- b-s0 is not finished: it failed (a\\|b c\\*d\\<e).\n" in report.markdown(compare(runs))


def test_seeds_that_are_healthy_share_a_line_and_a_collapsed_one_has_its_own(build):
    collapsed = {"state": {"name": "dimensional collapse", "evidence": "rank 2 of 128"}}
    runs = [build(seed=0), build(seed=1, record=collapsed), build(seed=2), build(seed=3, record=collapsed)]
    assert report.markdown(compare(runs)).endswith(
        "- A, seeds 0 and 2: healthy (effective rank 45.2 of 128).\n"
        "- A, seed 1: dimensional collapse (rank 2 of 128).\n"
        "- A, seed 3: dimensional collapse (rank 2 of 128).\n"
    )


def test_one_arm_has_no_column_for_differences(build):
    text = report.markdown(compare([build(seed=0, top1=0.6), build(seed=1, top1=0.62)]))
    assert "minus A" not in text
    assert "| A | 61.00 | 48.29 to 73.71 | 25.00 |" in text


def test_the_summary_of_a_run_that_knows_nothing_yet_is_short(tmp_path: Path):
    from dcp.run import Run

    run = Run.create(tmp_path, "tiny", 0, "", {})
    assert drawn(report.summary(run)).split() == [
        *("tiny-s0:", "running"),
        *["Not", "finished;", "what", "follows", "is", "as", "of", "its", "last", "files."],
    ]


def test_numbers_carry_their_unit_from_here_on():
    assert [figure("top1", 0.12345), figure("top5", 1.0), figure("nesum", 0.12345)] == [
        "12.35",
        "100.00",
        "0.1235",
    ]
    assert [duration(0), duration(59.99), duration(3599.6), duration(90000)] == [
        *("0.0 s", "1 min 00 s", "1 h 00 min", "25 h 00 min")
    ]
    assert [memory(0), memory(1.5 * 2**30)] == ["0 MiB", "1.5 GiB"]
    assert [significant(0.0), significant(1e-9), significant(999.96), significant(-12.0)] == [
        *("0.000", "1.000e-09", "1000", "-12.00")
    ]
