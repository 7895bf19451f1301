"""dcp.load_run: a run as an object, without torch."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from built_runs import Build

import dcp
from dcp.errors import RequestError


def test_a_run_says_what_its_files_say(trained: Path) -> None:
    run = dcp.load_run(trained)
    assert (run.path, run.name, run.status) == (trained, "directcopy-s0", "done")
    assert run.record == json.loads((trained / "run.json").read_text())
    assert run.recipe["predictor"]["name"] == "directcopy"
    assert [line["epoch"] for line in run.metrics("epoch")] == [0, 1]
    assert {line["kind"] for line in run.metrics()} == {"step", "epoch", "spectrum"}
    assert run.scores() == {
        name: json.loads((trained / f"probes/{name}.json").read_text()) for name in ("knn", "linear", "spectrum")
    }
    state = run.record["state"]
    said = run.diagnosis
    assert (said.state, said.why, said.evidence, said.advice) == tuple(
        state[key] for key in ("name", "cause", "evidence", "advice")
    )


def test_flat_scores_are_rows_of_a_table(build: Build) -> None:
    run = dcp.load_run(build("a", 2, top1=0.5).path)
    (row,) = run.scores(flat=True)
    assert (row["run"], row["name"], row["seed"]) == ("a-s2", "a", 2)
    assert (row["evaluation"], row["score"], row["value"], row["before"]) == ("linear", "top1", 0.5, 0.25)
    assert row["low"] < 0.5 < row["high"]


def test_what_it_shows_is_short(build: Build, tmp_path: Path) -> None:
    assert repr(dcp.load_run(build("a", 0, top1=0.5).path)) == "<dcp run a-s0: done, linear top1 50.0 %, healthy>"
    failed = build("b", 0, top1=0.5, record={"status": "failed", "state": {"name": "vanishing"}})
    (failed.path / "probes/linear.json").unlink()
    assert repr(dcp.load_run(failed.path)) == "<dcp run b-s0: failed, vanishing>"
    other = build("c", 0, top1=0.5, recipe={"probe": {"primary": "retrieval.map"}})
    other.write_probe("retrieval", {"score": {"map": 0.123456}})
    assert repr(dcp.load_run(other.path)) == "<dcp run c-s0: done, retrieval map 0.1235, healthy>"
    (other.path / "probes/retrieval.json").write_text("{")
    assert "scores that cannot be read" in repr(dcp.load_run(other.path))


def test_a_name_means_the_first_seed_below_runs(trained: Path) -> None:
    assert dcp.load_run("directcopy", runs=trained.parent).path == trained
    with pytest.raises(RequestError) as caught:
        dcp.load_run("direct", runs=trained.parent)
    assert caught.value.slug == "no-such-run"
    assert "directcopy" in caught.value.hint


def test_a_name_of_runs_that_differ_in_more_than_the_seed_is_refused(build: Build) -> None:
    runs = build("ab", 0, top1=0.5).path.parent
    build("ab", 1, top1=0.5)
    assert dcp.load_run("a*", runs=runs).name == "ab-s0"
    build("ac", 0, top1=0.5)
    (runs / "mine").mkdir()
    (runs / "mine/study.json").write_text(json.dumps({"arms": [{"name": n, "run": n} for n in ("ab", "ac")]}))
    for word in ("a*", "mine"):
        with pytest.raises(RequestError) as caught:
            dcp.load_run(word, runs=runs)
        assert (caught.value.slug, caught.value.message) == ("no-such-run", f'"{word}" means 2 runs')
        assert caught.value.hint == "Name one: ab, ac."
    assert dcp.load_run("ab-*", runs=runs).name == "ab-s0"


@pytest.mark.parametrize("run", [None, 3])
def test_what_is_neither_a_path_nor_a_name_is_refused(run: object) -> None:
    with pytest.raises(RequestError, match=f"not {run}") as caught:
        dcp.load_run(run)  # type: ignore[arg-type]
    assert caught.value.slug == "bad-type"


@pytest.mark.parametrize("runs", [None, 3, ""])
def test_the_folder_of_runs_must_be_a_path(runs: object, trained: Path) -> None:
    for call in (
        lambda: dcp.load_run(trained, runs=runs),  # type: ignore[arg-type]
        lambda: dcp.load_encoder(trained, runs=runs),  # type: ignore[arg-type]
        lambda: dcp.probe(trained, runs=runs),  # type: ignore[arg-type]
        lambda: dcp.compare([trained, trained], runs=runs),  # type: ignore[arg-type]
        lambda: dcp.pretrain("tiny/directcopy", runs=runs),  # type: ignore[arg-type]
    ):
        with pytest.raises(RequestError) as caught:
            call()
        assert (caught.value.slug, caught.value.where) == ("bad-value" if runs == "" else "bad-type", "runs")


def test_an_empty_name_is_no_run_and_does_not_mean_the_current_folder(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained)
    for call in (lambda: dcp.load_run(""), lambda: dcp.compare([".", ""])):
        with pytest.raises(RequestError) as caught:
            call()
        assert caught.value.slug == "bad-value"


@pytest.mark.parametrize("name", ["run.json", "recipe.toml"])
def test_a_folder_that_is_damaged_is_told(name: str, build: Build) -> None:
    run = build("a", 0, top1=0.5)
    (run.path / name).write_text("{ x")
    with pytest.raises(RequestError) as caught:
        dcp.load_run(run.path)
    assert caught.value.slug == "broken-run"
    assert name in caught.value.where


def test_a_kind_of_metrics_that_there_is_not_is_refused_and_one_that_is_yet_to_come_is_empty(build: Build) -> None:
    run = build("a", 0, top1=0.5)
    before = len(dcp.load_run(run.path).metrics())
    run.append({"kind": "mine", "step": 1, "x": 0.5})
    loaded = dcp.load_run(run.path)
    assert len(loaded.metrics()) == before + 1
    assert loaded.metrics("mine") == [{"kind": "mine", "step": 1, "x": 0.5}]
    assert loaded.metrics("spectrum") == []
    with pytest.raises(RequestError, match='no metrics of the kind "foo"') as caught:
        loaded.metrics("foo")
    assert caught.value.slug == "unknown-name"
    assert caught.value.hint == "known: step, epoch, spectrum, mine"
    with pytest.raises(RequestError) as caught:
        loaded.metrics(3)  # type: ignore[arg-type]
    assert caught.value.slug == "bad-type"


def test_its_encoder_is_that_of_load_encoder(trained: Path) -> None:
    image = np.zeros((32, 32, 3), np.uint8)
    assert torch.equal(dcp.load_run(trained).encoder()(image), dcp.load_encoder(trained)(image))


def test_torch_is_not_imported(trained: Path) -> None:
    code = (
        "import sys, dcp\n"
        f"run = dcp.load_run({str(trained)!r})\n"
        "repr(run), run.metrics(), run.scores(), run.scores(flat=True), run.diagnosis, run.recipe, run.record\n"
        "print(sorted({'torch', 'numpy', 'matplotlib', 'scipy', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
