"""A study whose arms are scored on the runs that are left says which are not, wherever its comparison is read."""

import json
from collections.abc import Collection
from pathlib import Path

import pytest

from dcp.errors import RunError
from dcp.runs.run import Run
from dcp.studies import execute
from dcp.studies.grid import Cell
from dcp.studies.study import Study, read
from dcp.training.pretrain import pretrain, train
from dcp.training.request import Request

FIRST, SECOND = "little-lr0.03-eps0.3", "little-lr0.1-eps0.3"


def trainer(runs: Path, diverging: Collection[str] = (), without_folder: Collection[str] = ()):
    """Trains runs; of some the loss is not finite, and some fail before they have a folder."""

    def trained(cell: Cell) -> Run:
        name = cell.path(runs).name
        if name in without_folder:
            raise RunError("memory ran out", slug="out-of-memory")
        run = (train if name in diverging else pretrain)(cell.recipe, Request(runs, device="cpu"))
        if name in diverging:
            error = RunError("the loss is not finite at step 3", slug="diverged")
            run.update(status="failed", why=str(error), error=error.slug)
            raise error
        return run

    return trained


@pytest.fixture
def two(tiny: Path) -> Study:
    """Two arms, two seeds."""
    return read(str(tiny), ("study.axes.predictor.eps=[0.3]",))


def caveats(study: Study, runs: Path, **lost: Collection[str]) -> list[str]:
    """What the study's comparison says of its runs."""
    execute.run(study, Request(runs, device="cpu"), trainer(runs, **lost))
    return json.loads((runs / "little/comparison.json").read_text())["caveats"]


def test_scores_of_survivors_are_said_to_be_so_in_every_form(two, tmp_path, dcp):
    runs, out = tmp_path / "runs", tmp_path / "out"
    sentence = f"{SECOND}, seed 1 diverged; {SECOND}'s scores are those of its other seeds."
    assert caveats(two, runs, diverging=[f"{SECOND}-s1"]) == [sentence]
    assert sentence in (runs / "little/comparison.md").read_text().replace("\\", "")
    said = dcp("compare", "little", "--runs", runs, "--out", out, "--json")
    assert sentence in " ".join(said.out.split())
    assert json.loads(said.out.splitlines()[-1])["caveats"] == [sentence]
    assert sentence in (out / "comparison.html").read_text().replace("&#x27;", "'").replace("&#39;", "'")


def test_a_study_that_is_run_shows_it_in_the_terminal(dcp, tiny, tmp_path):
    sets = ("study.axes.predictor.eps=[0.3]", "study.axes.optimizer.lr=[0.03,1e29]")
    said = dcp("pretrain", tiny, *sets, "--runs", tmp_path, "--device", "cpu")
    assert said.code == 1
    words = " ".join(said.out.split())
    assert "little-lr1e29-eps0.3 has no scores, because none of its runs finished: seeds 0, 1 diverged." in words


def test_an_arm_of_which_nothing_finished_and_runs_without_a_folder_are_named(two, tmp_path, dcp):
    lost = [f"{SECOND}-s0", f"{SECOND}-s1"]
    expected = [f"{SECOND} has no scores, because none of its runs finished: seeds 0, 1 left no run folder."]
    assert caveats(two, tmp_path, without_folder=lost) == expected
    said = dcp("compare", "little", "--runs", tmp_path, "--json")
    assert json.loads(said.out.splitlines()[-1])["caveats"] == expected


def test_every_run_that_is_not_done_is_named_with_what_became_of_it(two, tmp_path):
    study = two.with_seeds((0, 1, 2, 3))
    lost = {"diverging": [f"{SECOND}-s1", f"{SECOND}-s3"], "without_folder": [f"{SECOND}-s2"]}
    assert caveats(study, tmp_path, **lost) == [
        f"{SECOND}, seeds 1, 3 diverged, seed 2 left no run folder; {SECOND}'s scores are those of its other seeds."
    ]
    running_elsewhere = Run.open(tmp_path / f"{FIRST}-s2")
    running_elsewhere.update(status="running")
    (tmp_path / f"{FIRST}-s3/encoder.safetensors").unlink()
    Run.open(tmp_path / f"{FIRST}-s1").update(status="failed", why="error[disk-full]: the disk is full\n  hint")
    with running_elsewhere.lock():
        (first, _) = caveats(study.with_seeds((0,)), tmp_path)
    assert first == (
        f"{FIRST}, seed 1 did not finish (failed: error[disk-full]: the disk is full), "
        f"seed 2 did not finish (running), seed 3 lost the encoder; {FIRST}'s scores are those of its other seeds."
    )
