"""Files that dcp has not made stay as they are, and what it has written is replaced only by what is whole."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dcp.cli import exit_codes
from dcp.runs import lease
from dcp.runs.run import Run

STUDY = """
extends = "tiny/directcopy"

[run]
name = "st"

[train]
epochs = 1

[probe]
after = ["knn"]

[study.axes.predictor]
name = ["directcopy", "linear"]
"""


def test_comparisons_replace_their_own_files_alone(trained: Path, other: Path, tmp_path: Path, dcp: Callable) -> None:
    mine = tmp_path / "comparison.md"
    mine.write_text("mine")
    said = dcp("compare", trained, other, "--out", tmp_path)
    assert said.code == 2
    assert "error[files-exist]: comparison.md is there" in said.err
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("comparison.md", "mine")]
    mine.unlink()
    (tmp_path / "notes.txt").write_text("mine")
    for _ in range(2):
        assert dcp("compare", trained, other, "--out", tmp_path).code == 0
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["comparison.md", "comparison.html"])
def test_a_file_of_others_stays_beside_those_of_dcp(
    name: str, trained: Path, other: Path, tmp_path: Path, dcp: Callable
) -> None:
    assert dcp("compare", trained, other, "--out", tmp_path).code == 0
    (tmp_path / name).write_text("mine")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    said = dcp("compare", trained, other, "--out", tmp_path)
    assert said.code == 2
    assert f"error[files-exist]: {name} is there" in said.err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_report_of_others_in_a_run_folder_stays(trained: Path, tmp_path: Path, dcp: Callable) -> None:
    run = shutil.copytree(trained, tmp_path / trained.name)
    (run / "report.html").write_text("mine")
    said = dcp("probe", run, "-e", "spectrum", "--html")
    assert said.code == 2
    assert "error[files-exist]: report.html is there" in said.err
    (run / "report.html").unlink()
    for _ in range(2):
        assert dcp("probe", run, "-e", "spectrum", "--html").code == 0


@pytest.mark.parametrize("name", ["study.json", "comparison.md", "comparison.json", "comparison.html"])
def test_a_study_begins_nothing_where_it_would_replace_files_of_others(
    name: str, tmp_path: Path, dcp: Callable
) -> None:
    (tmp_path / "st.toml").write_text(STUDY)
    (tmp_path / "runs/st").mkdir(parents=True)
    (tmp_path / "runs/st" / name).write_text('{"mine": 1}')
    said = dcp("pretrain", tmp_path / "st.toml", "--runs", tmp_path / "runs")
    assert said.code == 2
    assert f"error[files-exist]: {name} is there" in said.err
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["st"]
    assert (tmp_path / "runs/st" / name).read_text() == '{"mine": 1}'


def test_a_refused_resume_leaves_the_record_as_it_was(tmp_path: Path, dcp: Callable) -> None:
    words = ("pretrain", "tiny/directcopy", "train.epochs=1", "probe.after=[]", "--runs", tmp_path)
    assert dcp(*words).code == 0
    run = tmp_path / "directcopy-s0"
    record = {**json.loads((run / "run.json").read_text()), "status": "interrupted"}
    (run / "run.json").write_text(json.dumps(record))
    (run / "metrics.jsonl").write_text("[]\n")
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in run.rglob("*") if path.is_file()}
    said = dcp(*words, "--resume")
    assert said.code == 2
    assert "error[broken-run]" in said.err
    after = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in run.rglob("*") if path.is_file()}
    assert after == before


def test_resuming_a_finished_run_writes_no_file_anew(trained: Path, tmp_path: Path, dcp: Callable) -> None:
    run = tmp_path / trained.name
    shutil.copytree(trained, run)
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    assert dcp("pretrain", "tiny/directcopy", "--runs", tmp_path, "--resume").code == 0
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()} == before


def test_what_stands_in_the_way_of_probes_after_a_training_is_a_failure(
    tmp_path: Path, dcp: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Run.update

    def update(self: Run, **fields: object) -> None:
        real(self, **fields)
        if fields.get("status") == "done":
            (self.path / "probes").symlink_to(tmp_path)

    monkeypatch.setattr(Run, "update", update)
    said = dcp("pretrain", "tiny/directcopy", "train.epochs=1", "--runs", tmp_path / "runs")
    assert said.code == 1
    assert "error[broken-run]" in said.err
    assert "probes" in said.err


def test_a_key_given_twice_in_two_ways_is_refused(tmp_path: Path, dcp: Callable) -> None:
    said = dcp("pretrain", "tiny/directcopy", "train.epochs=1", "--set", "train.epochs=3", "--runs", tmp_path)
    assert said.code == 2
    assert "error[bad-override]: train.epochs is given twice" in said.err


def test_a_result_of_the_theory_is_called_one(trained: Path, tmp_path: Path, dcp: Callable) -> None:
    shutil.copytree(trained, tmp_path / "threshold")
    (tmp_path / "threshold/run.json").rename(tmp_path / "threshold/theory.json")
    said = dcp("compare", tmp_path / "threshold", trained)
    assert said.code == 2
    assert "error[not-a-run]: a result of dcp theory" in said.err


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path, dcp: Callable) -> None:
    (tmp_path / "directcopy-s0").symlink_to("nowhere")
    for more in ((), ("--resume",)):
        said = dcp("pretrain", "tiny/directcopy", "--runs", tmp_path, *more)
        assert said.code == 2
        assert "error[bad-folder]: a link that leads nowhere" in said.err


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_probe_that_is_terminated_lets_go_of_the_run(trained: Path, tmp_path: Path) -> None:
    run = tmp_path / trained.name
    shutil.copytree(trained, run)
    command = [sys.executable, "-m", "dcp", "probe", str(run), "-e", "linear", "--set", "probe.linear.epochs=5000"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not (run / lease.FILE).exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert err.strip() == "stopped"
    assert not (run / lease.FILE).exists()


@pytest.mark.parametrize("error", [ValueError("could not determine the shape"), KeyboardInterrupt("stopped")], ids=str)
def test_an_interrupt_of_which_code_makes_another_error_ends_with_the_code_of_its_signal(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(exit_codes, "_heard", [])

    def work() -> None:
        try:
            exit_codes.stop(signal.SIGTERM, None)
        except KeyboardInterrupt:
            raise error from None

    assert exit_codes.guarded(work) == 143
    assert capfd.readouterr().err == "stopped\n"
