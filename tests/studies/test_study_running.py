"""A study trains what is not done, goes on after a signal, survives what fails, and any order gives the same bytes."""

import json
import os
import signal
from pathlib import Path

import pytest

import dcp
from dcp.data.datasets import base
from dcp.errors import Interrupted, Problems, RequestError, RunError
from dcp.recipe import build
from dcp.runs.run import Run
from dcp.studies import execute
from dcp.studies.grid import Cell, cells, states
from dcp.studies.preflight import check
from dcp.studies.study import Study, read
from dcp.studies.worker import work
from dcp.training.pretrain import pretrain, train
from dcp.training.request import Request

FILES = ("encoder.safetensors", "recipe.toml", "probes/knn.safetensors")


def content(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in FILES]


def trainer(runs: Path, trained: list[str], stop_at: int = 0):
    """Trains a run; in the run number `stop_at` it sends itself the signal of Ctrl-C after the first step."""

    def train(cell: Cell) -> Run:
        trained.append(cell.path(runs).name)

        def watch(line):
            if len(trained) == stop_at and line["kind"] == "step":
                os.kill(os.getpid(), signal.SIGINT)

        return pretrain(cell.recipe, Request(runs, resume=True, device="cpu", watch=watch))

    return train


def test_a_study_that_a_signal_stops_half_way_goes_on_and_ends_in_the_bytes_of_single_runs(tiny, tmp_path):
    study, runs = read(str(tiny)), tmp_path / "runs"
    first: list[str] = []
    with pytest.raises(Interrupted) as stopped:
        execute.run(study, Request(runs, device="cpu"), trainer(runs, first, stop_at=3))
    assert stopped.value.exit_code == 130
    found = list(states(study, runs).values())
    assert found.count("done") == 2
    assert found.count("stopped") == 1
    assert found.count("new") == 5
    assert not (runs / "little").exists()

    again: list[str] = []
    result = execute.run(study, Request(runs, device="cpu"), trainer(runs, again))
    assert again == [first[-1], *(cell.path(runs).name for cell in cells(study)[3:])]  # what was done is left alone
    assert len(result.outcome.done) == 8
    assert len(result.outcome.skipped) == 2
    for cell in (cells(study)[2], cells(study)[7]):  # the one that was stopped, and the last
        alone = pretrain(cell.recipe, Request(tmp_path / "alone", device="cpu"))
        assert content(alone.path) == content(cell.path(runs))


def test_any_order_gives_the_same_bytes(tiny, tmp_path):
    study = read(str(tiny), ("study.axes.predictor.eps=[0.3]",))
    for name, order in (("one", cells(study)), ("other", cells(study)[::-1])):
        work(order, tmp_path / name, train=trainer(tmp_path / name, []), say=print)
    for cell in cells(study):
        assert content(cell.path(tmp_path / "one")) == content(cell.path(tmp_path / "other"))


@pytest.fixture
def two(tiny: Path) -> Study:
    """Two arms, one seed."""
    return read(str(tiny), ("study.axes.predictor.eps=[0.3]", "study.seeds=[0]"))


def test_a_run_that_fails_stops_no_other_and_one_that_diverged_is_not_trained_again(two, tmp_path):
    def train(cell: Cell) -> Run:
        run = pretrain(cell.recipe, Request(tmp_path, device="cpu"))
        if cell.arm.name == "lr0.03-eps0.3":
            error = RunError("the loss is not finite at step 3", slug="diverged")
            run.update(status="failed", why=str(error), error=error.slug)
            raise error
        return run

    said: list[str] = []
    result = execute.run(two, Request(tmp_path, device="cpu", say=said.append), train)
    (failed,) = result.outcome.failed
    assert failed.endswith("little-lr0.03-eps0.3-s0")
    assert len(result.outcome.done) == 1
    assert any("error[diverged]" in text and "the study goes on" in text for text in said)

    trained: list[str] = []
    result = execute.run(two, Request(tmp_path, device="cpu", say=said.append), trainer(tmp_path, trained))
    assert trained == []
    assert list(result.outcome.failed) == [failed]


def test_a_run_that_was_killed_goes_on(two, tmp_path):
    run = pretrain(two.arms[0].recipe, Request(tmp_path, device="cpu"))
    before = content(run.path)
    (run.path / "encoder.safetensors").unlink()
    run.update(status="running")  # as a process leaves it that was killed
    assert states(two, tmp_path)[cells(two)[0]] == "stopped"
    execute.run(two, Request(tmp_path, device="cpu"))
    assert content(run.path) == before


def test_a_run_that_another_process_trains_is_looked_at_again_at_the_end(two, tmp_path):
    for arm in two.arms:
        pretrain(arm.recipe, Request(tmp_path, device="cpu"))
    first, second = cells(two)
    said: list[str] = []
    (second.path(tmp_path) / "probes/knn.json").unlink()  # so that there is something to do
    with Run.open(first.path(tmp_path)).lock():
        trained: list[str] = []
        outcome = work([first, second], tmp_path, train=trainer(tmp_path, trained), say=said.append)
    assert outcome.busy == [str(first.path(tmp_path))]
    assert trained == [second.path(tmp_path).name]
    assert len(said) == 2  # once in its turn, once at the end

    held = Run.open(first.path(tmp_path)).lock()
    held.__enter__()

    def ends_meanwhile(cell: Cell) -> Run:
        held.__exit__(None, None, None)
        return Run.open(cell.path(tmp_path))

    (second.path(tmp_path) / "probes/knn.json").unlink()
    outcome = work([first, second], tmp_path, train=ends_meanwhile, say=said.append)
    assert outcome.busy == []
    assert len(outcome.done) == 2


def test_a_missing_probe_is_measured_without_training(two, tmp_path):
    execute.run(two, Request(tmp_path, device="cpu"))
    path = cells(two)[0].path(tmp_path)
    (path / "probes/knn.json").unlink()
    before = (path / "metrics.jsonl").read_bytes()
    assert states(two, tmp_path)[cells(two)[0]] == "unmeasured"
    execute.run(two, Request(tmp_path, device="cpu"))
    assert (path / "probes/knn.json").is_file()
    assert (path / "metrics.jsonl").read_bytes() == before


def test_folders_with_other_settings_are_all_told_before_anything_trains(tiny, tmp_path):
    study = read(str(tiny))
    for cell in cells(study)[:2]:
        other = cell.recipe.model_copy(update={"train": cell.recipe.train.model_copy(update={"epochs": 1})})
        train(other, Request(tmp_path, device="cpu"))
    trained: list[str] = []
    with pytest.raises(Problems) as error:
        execute.run(study, Request(tmp_path, device="cpu"), trainer(tmp_path, trained))
    assert trained == []
    assert [one.slug for one in error.value.problems] == ["recipe-differs"] * 2
    assert "train.epochs: 1 there, 2 here" in str(error.value)


@pytest.mark.parametrize(
    ("override", "slug"),
    [
        ("train.batch=65", "batch-too-large"),
        ("network.backbone=nosuchnet", "bad-network"),
        ("data.limit=65", "limit-too-large"),
    ],
)
def test_what_no_run_could_do_is_told_before_anything_trains(tiny, tmp_path, override, slug):
    trained: list[str] = []
    with pytest.raises(RequestError) as error:
        execute.run(read(str(tiny), (override,)), Request(tmp_path, device="cpu"), trainer(tmp_path, trained))
    assert error.value.slug == slug
    assert trained == []


def test_each_data_set_is_opened_once_and_each_network_built_once_before_anything_trains(tiny, tmp_path, monkeypatch):
    opened, built = [], []
    load, method = base.load, build.method
    monkeypatch.setattr(base, "load", lambda config, split: opened.append(split) or load(config, split))
    monkeypatch.setattr(build, "method", lambda recipe: built.append(recipe) or method(recipe))
    study = read(str(tiny))
    assert check(study, states(study, tmp_path), Request(tmp_path, device="cpu")) == {arm.name: 4 for arm in study.arms}
    assert opened == ["pretrain", "test"]
    assert len(built) == 2  # one for each ε of the predictor; the rate shapes no network
    assert not any(tmp_path.glob("little-*"))


def test_from_a_program_a_study_is_plain_values(tiny, tmp_path):
    axes = "study.axes.predictor.eps=[0.3]"
    found = dcp.study(tiny, sets=(axes,), seeds=(4,), runs=tmp_path / "runs", device="cpu")
    assert [Path(path).name for path in found["done"]] == ["little-lr0.03-eps0.3-s4", "little-lr0.1-eps0.3-s4"]
    assert json.loads(json.dumps(found)) == found
    written = json.loads((tmp_path / "runs/little/study.json").read_text())
    assert written == {key: value for key, value in found.items() if key != "comparison"}
    assert json.loads((tmp_path / "runs/little/comparison.json").read_text()) == found["comparison"]
