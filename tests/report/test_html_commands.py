"""The commands that write the report."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from reported import Page, whole


def test_compare_writes_the_page_beside_markdown_and_json(full, tmp_path, dcp):
    out = tmp_path / "out"
    assert dcp("compare", *(full(name, predictor=name).path for name in "ab"), "--out", out).code == 0
    assert sorted(path.name for path in out.iterdir()) == ["comparison.html", "comparison.json", "comparison.md"]
    assert json.loads((out / "comparison.json").read_bytes())["arms"][0]["name"] == "a"
    assert "Comparison of a and b" in Page((out / "comparison.html").read_text(encoding="utf-8")).text


def test_probe_html_takes_the_pictures_and_writes_the_report_of_the_run(trained, tmp_path, dcp):
    run = tmp_path / "runs" / trained.name
    shutil.copytree(trained, run)
    before = sorted(path.stem for path in (run / "probes").glob("*.json"))
    said = dcp("probe", run, "-e", "knn", "--html", "--quiet")
    assert (said.code, said.err) == (0, "")
    assert sorted(path.stem for path in (run / "probes").glob("*.json")) == sorted({*before, "pictures"})
    assert "pictures" not in said.out.partition("Written")[0]  # they have no score
    assert (run / "probes" / "pictures.safetensors").stat().st_size < 1_500_000
    page = (run / "report.html").read_text(encoding="utf-8")
    assert len(page) < 1_000_000
    text = Page(page).text
    for words in (
        "Map of the test images",
        "Nearest neighbours",
        "What the network saw",
        "Confusion",
        "double backslash",
    ):
        assert words in text, words


def test_a_run_that_is_compared_needs_no_pictures_probe(full, dcp):
    runs = [full("a"), full("b", predictor="b")]
    for path in (runs[1].path / "probes").glob("pictures.*"):
        path.unlink()
    said = dcp("compare", *(run.path for run in runs))
    assert said.code == 0
    assert "No pictures probe" not in said.out


@pytest.mark.slow
def test_ten_runs_are_compared_and_written_within_5_s_of_one_core(tmp_path):
    for i in range(10):
        whole(tmp_path / "runs", f"run{i}", predictor=f"p{i}")
    command = [sys.executable, "-m", "dcp", "compare", "run*", "--runs", "runs", "--out", "out"]
    before = os.times()
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    after = os.times()
    took = after.children_user + after.children_system - before.children_user - before.children_system
    assert took < 5  # of the core itself, so that what else the machine does is not counted
