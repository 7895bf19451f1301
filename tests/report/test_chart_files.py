"""Charts as files for papers."""

import shutil

import pytest

from dcp.comparison.compare import compare
from dcp.report.chart_files import write_charts
from dcp.report.charts.colours import LIGHT

HEADS = {"pdf": b"%PDF-", "png": b"\x89PNG", "svg": b"<?xml"}


@pytest.mark.parametrize("kind", HEADS)
def test_compare_writes_each_chart_of_the_page_in_the_format_that_is_asked_for(full, tmp_path, dcp, kind):
    runs = [full(name, predictor=name).path for name in "ab"]
    assert dcp("compare", *runs, "--out", tmp_path / "out", "--figures", kind).code == 0
    files = list((tmp_path / "out" / "figures").iterdir())
    assert {path.suffix for path in files} == {f".{kind}"}
    assert {"answer", "scores", "loss-epochs", "F-A", "difference-shares"} <= {path.stem for path in files}
    assert all(path.read_bytes().startswith(HEADS[kind]) for path in files)


def test_a_file_has_real_colours_and_the_key_that_stands_below_the_chart_of_the_page(full, tmp_path):
    comparison = compare([full(name, predictor=name) for name in ("first", "second")])
    paths = {path.stem: path for path in write_charts(comparison, "svg", tmp_path)}
    text = paths["loss-epochs"].read_text(encoding="utf-8")
    assert "var(--" not in text
    assert all(words in text for words in (LIGHT[0], LIGHT[1], "A first", "B second"))


@pytest.mark.parametrize("kind", HEADS)
def test_charts_of_dcp_are_replaced_and_those_of_others_are_not(full, tmp_path, dcp, kind):
    runs = [full(name, predictor=name).path for name in "ab"]
    words = ("compare", *runs, "--out", tmp_path / "out", "--figures", kind)
    for _ in range(2):
        assert dcp(*words).code == 0
    mine = tmp_path / "out" / "figures" / f"answer.{kind}"
    mine.write_bytes(b"mine")
    said = dcp(*words)
    assert said.code == 2
    assert f"error[files-exist]: answer.{kind} is there" in said.err
    assert mine.read_bytes() == b"mine"


def test_the_same_runs_give_the_same_files(full, tmp_path):
    comparison = compare([full(name, predictor=name) for name in "ab"])
    for kind in HEADS:
        one, two = (write_charts(comparison, kind, tmp_path / name)[0].read_bytes() for name in "xy")
        assert one == two


def test_probe_writes_the_charts_of_a_run_into_its_folder(trained, tmp_path, dcp):
    run = shutil.copytree(trained, tmp_path / trained.name)
    said = dcp("probe", run, "-e", "spectrum", "--figures", "svg")
    assert said.code == 0, said.err
    charts = list((run / "figures").iterdir())
    assert {"loss-epochs.svg", "scores.svg"} <= {path.name for path in charts}
    assert all(path.read_bytes().startswith(HEADS["svg"]) for path in charts)
    assert said.out.endswith(f"Written: {run}: probes/spectrum.json, figures/\n")
    assert dcp("probe", run, "--figures", "eps").code == 2


@pytest.mark.parametrize("options", [("--out", "out", "--figures", "eps"), ("--figures", "pdf")])
def test_a_format_that_is_none_and_a_folder_that_is_missing_are_told_before_anything_is_read(dcp, options):
    said = dcp("compare", "nowhere", *options)
    assert said.code == 2
    assert "figure" in said.err
    assert "pdf" in said.err
