"""Two recipes with two seeds each, from training to an interval over seeds; and what --quiet leaves."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

RECIPES = ("tiny/directcopy", "tiny/linear")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both recipes trained for an epoch with the seeds 0 and 1."""
    from dcp.cli import app

    folder = tmp_path_factory.mktemp("runs")
    for recipe in RECIPES:
        assert app.run(["pretrain", recipe, "--seeds", "0-1", "--runs", str(folder), "train.epochs=1", "--quiet"]) == 0
    return folder


def test_accuracies_of_two_seeds_an_arm_are_compared_over_seeds_and_images(runs: Path, dcp: Callable) -> None:
    said = dcp("compare", "directcopy", "linear", "--runs", runs, "--json")
    assert said.code == 0, said.err
    comparison = json.loads(said.out.splitlines()[-1])
    assert [arm["seeds"] for arm in comparison["arms"]] == [[0, 1], [0, 1]]
    rows = {(row["evaluation"], row["score"]): row for row in comparison["scores"]}
    for evaluation in ("linear", "knn"):
        (one,) = rows[evaluation, "top1"]["differences"]
        low, high = one["interval"]
        assert one["method"] == "over seeds and test images, seeds paired"
        assert -1 <= low <= one["value"] <= high <= 1


@pytest.mark.parametrize("width", ["40", "80"])
def test_a_piped_comparison_has_no_spaces_at_the_end_of_lines(
    runs: Path, dcp: Callable, width: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    lines = dcp("compare", "directcopy", "linear", "--runs", runs).out.splitlines()
    assert [line for line in lines if line != line.rstrip()] == []
    assert max(map(len, lines)) <= int(width)


def test_quiet_leaves_the_scores(runs: Path, dcp: Callable) -> None:
    said = dcp("compare", "directcopy", "linear", "--runs", runs, "--quiet").out
    assert "linear top1" in said
    assert "--details" not in said


def test_details_come_after_the_answer_and_its_table(runs: Path, dcp: Callable) -> None:
    short = dcp("compare", "directcopy", "linear", "--runs", runs).out
    assert re.match(r"In linear top1, \w+ is [\d.]+ points above \w+, not clearly \(", " ".join(short.split()))
    assert "Settings that differ" not in short
    said = dcp("compare", "directcopy", "linear", "--runs", runs, "--details").out
    assert said.startswith(short.partition("\n\n  --details")[0].partition("\nTake care")[0])
    for title in ("Scores", "Tests", "Settings that differ", "Cost per seed"):
        assert f"\n{title}\n" in said


def test_quiet_leaves_the_scores_of_a_probe(runs: Path, dcp: Callable) -> None:
    said = dcp("probe", runs / "directcopy-s0", "-e", "knn", "--quiet").out
    assert "top1" in said
    assert "Speed" not in said


def test_an_evaluation_that_was_asked_for_and_needs_labels_is_refused_where_there_are_none(
    tmp_path: Path, dcp: Callable
) -> None:
    from PIL import Image

    for i in range(40):
        Image.effect_noise((20 + i % 3, 24), 60).save(tmp_path / f"{i}.png")
    sets = ("data.source=folder", f'data.root="{tmp_path}"', "data.image_size=16", "train.batch=16", "train.epochs=1")
    where = ("--runs", tmp_path / "runs")
    assert dcp("pretrain", "tiny/directcopy", *sets, *where).code == 0
    assert dcp("probe", "directcopy", *where).code == 0
    said = dcp("probe", "directcopy", "-e", "knn", *where)
    assert said.code == 2
    assert said.err.startswith("error[no-labels]")


def test_a_seed_without_its_record_is_named_and_not_left_out(runs: Path, tmp_path: Path, dcp: Callable) -> None:
    shutil.copytree(runs, tmp_path / "runs")
    (tmp_path / "runs/directcopy-s0/run.json").unlink()
    said = dcp("compare", "directcopy", "linear", "--runs", tmp_path / "runs")
    assert said.code == 2
    assert "error[half-written-run]" in said.err
    assert "directcopy-s0" in said.err
