"""A study in parts: which runs belong to which, that each is trained once, and who compares at the end."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import dcp
from dcp.errors import RequestError
from dcp.studies.share import Share, parse

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(dcp.__file__).parents[1])}
ARRAY = {"SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_ARRAY_TASK_MIN": "3"}
POD = {"JOB_COMPLETION_INDEX": "2"}
# trains nothing: makes each run's folder, holds it for a moment, and notes who did
TOGETHER = """
import multiprocessing, sys, time
from pathlib import Path
from dcp.runs.run import Run
from dcp.studies import execute, grid
from dcp.studies.share import parse
from dcp.studies.study import read
from dcp.training.request import Request

context = multiprocessing.get_context("fork")
study, root = read(sys.argv[1]), Path(sys.argv[2])
shares = [parse(text) if text != "all" else None for text in sys.argv[3:]]
barrier = context.Barrier(len(shares))
grid._missing = lambda run, recipe: set()
execute.check = lambda *given: {}

def train(cell):
    recipe = cell.recipe
    run = Run.create(root, recipe.run.name, recipe.run.seed, recipe.toml(), {"device": "cpu"}, held=True)
    with run.lock():
        with open(root / "trained", "a") as file:
            file.write(run.path.name + "\\n")
        time.sleep(0.05)
        run.write("encoder.safetensors", b"")
        run.update(status="done")
    return run

def part(share):
    barrier.wait(60)
    result = execute.run(study, Request(root), train, share)
    with open(root / "ended", "a") as file:
        file.write(f"{len(result.own.done)} {len(result.waiting)}\\n")

root.mkdir(exist_ok=True)
processes = [context.Process(target=part, args=(share,)) for share in shares]
for process in processes:
    process.start()
for process in processes:
    process.join(100)
sys.exit(max(process.exitcode for process in processes))
"""


def together(tiny: Path, runs: Path, *shares: str) -> list[list[int]]:
    """Commands that begin at once; of each how many runs it found done or trained, and how many it left to others."""
    command = [sys.executable, "-c", TOGETHER, str(tiny), str(runs), *shares]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    return [[int(number) for number in line.split()] for line in (runs / "ended").read_text().splitlines()]


def trained(runs: Path) -> list[str]:
    return (runs / "trained").read_text().split()


def test_three_shares_at_once_and_again_train_every_run_once_and_the_last_compares(tiny, tmp_path):
    runs = tmp_path / "runs"
    ended = together(tiny, runs, "0/3", "1/3", "2/3")
    assert len(trained(runs)) == len(set(trained(runs))) == 8
    assert sorted(done for done, _ in ended) == [2, 3, 3]
    assert ended[-1][1] == 0
    study = json.loads((runs / "little/study.json").read_text())
    assert len(study["done"]) == 8
    assert (runs / "little/comparison.json").exists()
    again = together(tiny, runs, "0/3", "1/3", "2/3")[3:]
    assert len(trained(runs)) == 8
    assert [waiting for _, waiting in again] == [0, 0, 0]


def test_eight_commands_without_shares_train_every_run_once(tiny, tmp_path):
    together(tiny, tmp_path, *["all"] * 8)
    assert len(trained(tmp_path)) == len(set(trained(tmp_path))) == 8


def test_a_share_trains_its_runs_alone_and_says_who_compares(dcp, tiny, tmp_path):
    runs = tmp_path / "runs"
    words = ("pretrain", tiny, "study.axes.predictor.eps=[0.3]", "--seed", 1, "--runs", runs, "--device", "cpu")
    said = dcp(*words, "--share", "1/2", "--json")
    assert said.code == 0, said.err
    assert sorted(path.name for path in runs.iterdir()) == ["little-lr0.1-eps0.3-s1"]
    assert "share 1/2: 1 run done; 1 run of other shares is left. The share that ends last compares" in said.out
    assert json.loads(said.out.splitlines()[-1])["waiting"] == [str(runs / "little-lr0.03-eps0.3-s1")]
    planned = dcp(*words, "--share", "0/2", "--dry-run", "--json")
    assert list(json.loads(planned.out.splitlines()[-1])["runs"].values()) == ["new"]
    said = dcp(*words, "--share", "0/2")
    assert said.code == 0, said.err
    assert (runs / "little/comparison.html").exists()


def test_more_shares_than_runs_leave_some_with_nothing_to_do(dcp, tiny, tmp_path):
    runs = tmp_path / "runs"
    said = dcp("pretrain", tiny, "--runs", runs, "--device", "cpu", "--share", "9/12")
    assert said.code == 0, said.err
    assert "share 9/12: 0 runs done; 8 runs of other shares are left" in said.out
    assert not runs.exists()


@pytest.mark.parametrize(
    ("text", "environment", "share"),
    [
        ("0/1", {}, Share(0, 1)),
        ("2/3", ARRAY, Share(2, 3)),
        ("auto", ARRAY, Share(2, 4)),
        ("auto", {**ARRAY, "SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_STEP": "2"}, Share(2, 4)),
        ("auto/8", ARRAY, Share(5, 8)),
        ("auto/3", POD, Share(2, 3)),
        ("auto", {"SKYPILOT_NODE_RANK": "1", "SKYPILOT_NUM_NODES": "2"}, Share(1, 2)),
    ],
)
def test_what_says_which_share_this_is(text, environment, share):
    assert parse(text, environment) == share


@pytest.mark.parametrize(
    ("text", "environment", "slug"),
    [
        *(
            (text, {}, "bad-option")
            for text in ("", "3", "3/3", "0/0", "-1/3", "a/b", "1/2/3", " 0/3", "0/3 ", "1.5/3")
        ),
        *((text, {}, "bad-option") for text in ("0/9999999", "auto/", "auto/x", "automatic", "٣/٤")),
        ("auto", {}, "bad-environment"),
        ("auto/3", {}, "bad-environment"),
        ("auto", POD, "bad-environment"),
        ("auto/2", POD, "bad-option"),
        ("auto", {**ARRAY, "SLURM_ARRAY_TASK_ID": "9"}, "bad-environment"),
        ("auto", {**ARRAY, "SLURM_ARRAY_TASK_ID": "x"}, "bad-environment"),
        ("auto", {"SLURM_ARRAY_TASK_ID": "1"}, "bad-environment"),
        ("auto", {"SKYPILOT_NODE_RANK": "1"}, "bad-environment"),
    ],
)
def test_what_is_no_share_is_refused_with_those_that_are(text, environment, slug):
    with pytest.raises(RequestError) as caught:
        parse(text, environment)
    assert caught.value.slug == slug
    assert "--share" in caught.value.where + caught.value.hint


def test_a_bad_share_and_one_of_a_single_run_end_with_2_and_write_nothing(dcp, tiny, tmp_path):
    for words in ((tiny, "--share", "3/3"), ("tiny/directcopy", "--share", "0/3"), (tiny, "--share", "8")):
        said = dcp("pretrain", *words, "--runs", tmp_path / "runs")
        assert said.code == 2
        assert said.err.count("error[") == 1
    assert not (tmp_path / "runs").exists()
