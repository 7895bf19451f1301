"""Studies on the command line: the plan, the tables at the end, exit codes, and what `dcp recipes` says of them."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dcp.cli import launch

ONE_AXIS = "study.axes.predictor.eps=[0.3]"
LESS = "optimizer.momentum=0.8"
PUBLISHED = """
[[study.published]]
at = { optimizer.lr = 0.03, predictor.eps = 0.3 }
score = "knn.top1"
value = 50.0
spread = 1.25
source = "Nobody 2021, Table 1"
note = "not a number of anybody's"
"""


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def test_a_study_is_one_command_that_ends_with_a_comparison_and_published_numbers(dcp, tiny, runs):
    tiny.write_text(tiny.read_text() + PUBLISHED)
    said = dcp("pretrain", tiny, ONE_AXIS, LESS, "--seed", 1, "--runs", runs, "--device", "cpu", "--json")
    assert said.code == 0, said.err
    result = json.loads(said.out.splitlines()[-1])
    assert [Path(path).name for path in result["done"]] == ["little-lr0.03-eps0.3-s1", "little-lr0.1-eps0.3-s1"]
    (beside,) = result["published"]
    score = json.loads((runs / "little-lr0.03-eps0.3-s1/probes/knn.json").read_text())["score"]["top1"]
    assert beside["mean"] == pytest.approx(100 * score)
    page = (runs / "little/comparison.md").read_text()
    for text in ("50.00 ± 1.25", f"{100 * score:.2f}", "Nobody 2021, Table 1: not a number of anybody's", f"({LESS})"):
        assert text in " ".join(said.out.split())
        assert text in page
    assert json.loads((runs / "little/comparison.json").read_text())["arms"][0]["name"] == "little-lr0.03-eps0.3"
    assert "knn top1 of each arm" in (runs / "little/comparison.html").read_text()
    compared = dcp("compare", "little", "--runs", runs, "--json")
    assert json.loads(compared.out.splitlines()[-1]) == json.loads((runs / "little/comparison.json").read_text())
    again = dcp("pretrain", tiny, ONE_AXIS, LESS, "--seed", 1, "--runs", runs, "--device", "cpu", "--resume", "--json")
    assert len(json.loads(again.out.splitlines()[-1])["skipped"]) == 2
    assert "epoch" not in again.out.partition("In knn")[0]


def test_a_dry_run_of_too_few_steps_to_time_says_so(dcp, tiny, runs):
    sets = ("train.epochs=1", "train.batch=64")
    said = dcp("pretrain", tiny, *sets, "--runs", runs, "--device", "cpu", "--dry-run", "--json")
    assert said.code == 0, said.err
    assert "has too few to measure any" in said.out
    plan = json.loads(said.out.splitlines()[-1], parse_constant=pytest.fail)
    assert (plan["seconds_per_step"], plan["estimated_s"]) == (None, None)


def test_a_dry_run_prints_the_plan_and_an_estimate_and_writes_nothing(dcp, tiny, runs):
    said = dcp("pretrain", tiny, "--runs", runs, "--device", "cpu", "--dry-run", "--json")
    assert said.code == 0, said.err
    assert "4 arms, 2 seeds, 8 runs, 0 published numbers; 8 runs left" in said.out
    assert "lr0.03-eps0.1" in said.out
    plan = json.loads(said.out.splitlines()[-1])
    assert plan["steps"] == 8 * 4
    assert plan["estimated_s"] == pytest.approx(32 * plan["seconds_per_step"])
    assert set(plan["runs"].values()) == {"new"}
    assert not runs.exists()


def test_a_study_with_a_run_that_failed_ends_with_1(dcp, tiny, runs):
    sets = (ONE_AXIS, "study.axes.optimizer.lr=[0.03,1e29]")
    said = dcp("pretrain", tiny, *sets, "--seed", 0, "--runs", runs, "--device", "cpu", "--json")
    assert said.code == 1
    result = json.loads(said.out.splitlines()[-1])
    assert [Path(path).name for path in result["failed"]] == ["little-lr1e29-eps0.3-s0"]
    assert [Path(path).name for path in result["done"]] == ["little-lr0.03-eps0.3-s0"]
    assert "error[diverged]" in said.out


def test_a_launcher_outside_is_refused_with_the_option_that_does_it(dcp, tiny, runs, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    said = dcp("pretrain", tiny, "--runs", runs)
    assert said.code == 2
    assert "--processes N" in said.err


@pytest.mark.parametrize("words", [("probe.knn.k=5", "study.axes.optimizer.lr=[]"), ("optimizer.lr=1.0",)])
def test_a_wrong_study_ends_with_2_and_writes_nothing(dcp, tiny, runs, words):
    said = dcp("pretrain", tiny, *words, "--runs", runs)
    assert said.code == 2
    assert "error[" in said.err
    assert not runs.exists()


def test_the_recipes_commands_know_studies(dcp, tiny, tmp_path):
    assert "studies/paper_cifar10 " in dcp("recipes", "list").out
    assert "[[study.published]]" in dcp("recipes", "show", "studies/paper_cifar10").out
    assert "60 runs, 10 published numbers" in dcp("recipes", "check", "studies/paper_cifar10").out
    assert dcp("recipes", "check", tiny, "--set", "optimizer.lr=1.0").code == 2
    assert '"study"' in dcp("recipes", "schema").out
    full = tmp_path / "full.toml"
    full.write_text(dcp("recipes", "show", tiny, "--full").out)
    assert "4 arms, 2 seeds, 8 runs" in dcp("recipes", "check", full).out


def test_a_copy_of_a_study_finds_what_its_arms_extend_from_another_folder(dcp, tmp_path):
    (tmp_path / "arm.toml").write_text('extends = "tiny/linear"\n')
    (tmp_path / "mine.toml").write_text(
        'extends = "tiny/directcopy"\n[study.arms]\na = {}\nb = { extends = "arm.toml" }\n[study.arms.c]\n'
        "extends = 'tiny/mlp'\n"
    )
    copied = tmp_path / "else/where.toml"
    assert dcp("recipes", "copy", tmp_path / "mine.toml", copied).code == 0
    assert "3 arms" in dcp("recipes", "check", copied).out


def test_commands_that_want_one_recipe_say_that_this_is_a_study(dcp, tiny):
    from dcp import pretrain
    from dcp.errors import RequestError

    with pytest.raises(RequestError) as error:
        pretrain(tiny)
    assert error.value.slug == "is-a-study"
    assert "dcp.study()" in error.value.hint


def started(tiny: Path, runs: Path, *words: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "dcp", "pretrain", str(tiny), *words, "--runs", str(runs), "--device", "cpu"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_study_that_is_stopped_or_killed_goes_on_with_the_same_command(dcp, tiny, runs, number, code):
    words = (ONE_AXIS, "study.seeds=[0]", "train.epochs=60", "train.save_every=10")
    process = started(tiny, runs, *words)
    lines = runs / "little-lr0.1-eps0.3-s0/metrics.jsonl"  # of the second run
    until = time.monotonic() + 120
    while (not lines.exists() or lines.read_bytes().count(b"\n") < 20) and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(process.pid, number)
    process.communicate(timeout=60)
    assert process.returncode == code
    said = dcp("pretrain", tiny, *words, "--runs", runs, "--device", "cpu", "--json")
    assert said.code == 0, said.err
    result = json.loads(said.out.splitlines()[-1])
    assert (len(result["done"]), len(result["skipped"])) == (2, 1)
    assert "resumed at step" in said.out
    alone = runs.parent / "alone"
    recipe = runs / "little-lr0.1-eps0.3-s0/recipe.toml"
    assert dcp("pretrain", recipe, "--runs", alone, "--device", "cpu", "--quiet").code == 0
    name = "little-lr0.1-eps0.3-s0/encoder.safetensors"
    assert (alone / name).read_bytes() == (runs / name).read_bytes()


@pytest.mark.slow
def test_two_commands_share_a_study(tiny, runs):
    both = [started(tiny, runs, "train.epochs=20") for _ in range(2)]
    for process in both:
        text, _ = process.communicate(timeout=300)
        assert process.returncode == 0, text
    study = json.loads((runs / "little/study.json").read_text())
    assert len(study["done"]) + len(study["busy"]) == 8
    for path in study["done"]:
        record = json.loads((Path(path) / "run.json").read_text())
        assert record["status"] == "done"
        assert len(record["sittings"]) == 1


@pytest.mark.slow
def test_with_several_processes_each_run_starts_its_own(dcp, tiny, runs):
    words = (ONE_AXIS, "study.seeds=[0]", "--processes", "2")
    said = dcp("pretrain", tiny, *words, "--runs", runs, "--device", "cpu", "--json")
    assert said.code == 0, said.out + said.err
    for path in json.loads(said.out.splitlines()[-1])["done"]:
        assert json.loads((Path(path) / "run.json").read_text())["processes"] == 2


@pytest.mark.slow
def test_of_runs_in_several_processes_too_the_table_is_alone_on_standard_output(dcp, tiny, runs):
    words = (ONE_AXIS, "study.seeds=[0]", "--processes", "2", "--format", "csv")
    said = dcp("pretrain", tiny, *words, "--runs", runs, "--device", "cpu")
    assert said.code == 0, said.err
    arms = [row[0] for row in csv.reader(io.StringIO(said.out))]
    assert arms == ["arm", "little-lr0.03-eps0.3", "little-lr0.1-eps0.3", "untrained"]


def test_a_study_writes_the_charts_of_its_comparison_as_files(dcp, tiny, runs):
    words = (ONE_AXIS, "study.seeds=[0]", "--runs", runs, "--device", "cpu")
    said = dcp("pretrain", tiny, *words, "--figures", "pdf")
    assert said.code == 0, said.err
    charts = list((runs / "little" / "figures").iterdir())
    assert {"answer.pdf", "scores.pdf", "loss-epochs.pdf"} <= {path.name for path in charts}
    assert all(path.read_bytes().startswith(b"%PDF-") for path in charts)
    assert said.out.endswith(f"{runs}/little: comparison.html, comparison.md, comparison.json, study.json, figures/\n")
    said = dcp("pretrain", tiny, *words, "--figures", "eps")
    assert (said.code, "error[bad-option]" in said.err, "pdf, svg, png" in said.err) == (2, True, True)


def test_a_study_ends_in_the_answer_the_table_of_its_arms_and_the_path_of_its_files(dcp, tiny, runs, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    said = dcp("pretrain", tiny, ONE_AXIS, "--seed", 1, "--runs", runs, "--device", "cpu")
    *_, table, more, path = said.out.split("\n\n")[-3:-1] + said.out.strip().split("\n")[-2:]
    assert "linear top1 in %" in table or "knn top1 in %" in table
    assert [line.split()[0] for line in table.splitlines() if line.startswith("little")] == [
        *("little-lr0.03-eps0.3", "little-lr0.1-eps0.3")
    ]
    assert more == f"Every score and all tests: dcp compare little --details --runs {runs}"
    assert path == f"Written: {runs}/little: comparison.html, comparison.md, comparison.json, study.json"
    assert dcp(*more.split(": dcp ")[1].split()).code == 0
    monkeypatch.setattr("dcp.cli.study.render.care", lambda comparison: "Take care")
    again = dcp("pretrain", tiny, ONE_AXIS, "--seed", 1, "--runs", runs, "--device", "cpu").out
    assert again.index(table) < again.index("\nTake care\n") < again.index("Every score")  # as dcp compare has it


def test_a_table_in_another_form_is_alone_on_standard_output(dcp, tiny, runs):
    said = dcp("pretrain", tiny, ONE_AXIS, "--seed", 1, "--runs", runs, "--device", "cpu", "--format", "csv")
    assert said.code == 0, said.err
    header, *rows = csv.reader(io.StringIO(said.out))
    assert header[:2] == ["arm", "seeds"]
    assert [row[0] for row in rows] == ["little-lr0.03-eps0.3", "little-lr0.1-eps0.3", "untrained"]
    assert "epoch 1" in said.err
    assert dcp("compare", "little", "--runs", runs, "--format", "csv").out == said.out
    assert dcp("compare", "little", "--runs", runs, "--format", "latex").out.startswith(r"% ")
    assert dcp("compare", "little", "--runs", runs, "--format", "markdown").out.startswith("| arm | seeds |")


def test_a_form_that_is_none_and_one_of_a_single_run_are_refused(dcp, tiny, runs):
    said = dcp("compare", "a", "b", "--format", "word")
    assert (said.code, "error[bad-option]" in said.err, "latex" in said.err) == (2, True, True)
    for more in ("--json", "--dry-run"):
        said = dcp("pretrain", tiny, "--runs", runs, "--format", "csv", more)
        assert (said.code, f"--format csv prints the table alone ({more})" in said.err, said.out) == (2, True, "")
    said = dcp("pretrain", "tiny/directcopy", "--runs", runs, "--format", "csv")
    assert (said.code, "error[bad-option]: --format is for studies" in said.err) == (2, True)
    said = dcp("pretrain", "tiny/directcopy", "--runs", runs, "--figures", "pdf")
    assert (said.code, "error[bad-option]: --figures is for studies" in said.err) == (2, True)
    assert not runs.exists()


@pytest.mark.parametrize("words", ["stopped; no new checkpoint was saved", "stopped; a checkpoint was saved"])
def test_with_several_processes_what_became_of_the_checkpoint_is_said_once(dcp, tiny, runs, monkeypatch, words):
    def stopped(arguments: list[str], processes: int, stdout: int | None) -> int:
        print(words, file=sys.stderr)
        return 143

    monkeypatch.setattr(launch, "launch", stopped)
    said = dcp("pretrain", tiny, ONE_AXIS, "--processes", "2", "--runs", runs, "--device", "cpu")
    assert (said.code, said.err) == (143, f"{words}\n")
