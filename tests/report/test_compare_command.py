"""What `dcp compare` prints where, and what it does not print together."""

import csv
import io

import pytest


@pytest.fixture
def runs(full):
    """Two runs of which one did not finish."""
    return [full("a").path, full("b", predictor="b", status="failed", why="the disk is full").path]


@pytest.mark.parametrize("more", [("--details",), ("--json",), ("--details", "--json")])
@pytest.mark.parametrize("kind", ["csv", "latex", "markdown"])
def test_a_table_that_is_to_be_alone_is_refused_with_what_would_stand_beside_it(runs, dcp, kind, more):
    said = dcp("compare", *runs, "--format", kind, *more)
    assert said.code == 2
    assert said.out == ""
    assert f"error[bad-option]: --format {kind} prints the table alone ({' '.join(more)})" in said.err


def test_beside_a_table_in_a_file_paths_and_what_takes_care_are_told_on_standard_error(runs, dcp, tmp_path):
    said = dcp("compare", *runs, "--format", "csv", "--out", tmp_path / "out", "--figures", "svg")
    rows = list(csv.reader(io.StringIO(said.out)))
    assert [row[0] for row in rows] == ["arm", "a", "b", "untrained"]
    assert "Take care" in said.err
    names = "comparison.html, comparison.md, comparison.json, figures/"
    assert said.err.endswith(f"Written: {tmp_path / 'out'}: {names}\n")


def test_quiet_leaves_out_what_takes_care(runs, dcp):
    for kind in ("csv", "table"):
        assert "Take care" not in (said := dcp("compare", *runs, "--format", kind, "--quiet")).err + said.out


def test_the_paths_of_a_comparison_come_last(runs, dcp, tmp_path):
    said = dcp("compare", *runs, "--out", tmp_path / "out", "--figures", "svg")
    assert said.out.splitlines()[-1].endswith("comparison.html, comparison.md, comparison.json, figures/")
