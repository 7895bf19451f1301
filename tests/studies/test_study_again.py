"""What a later call of a study finds of the earlier ones, and what it does not ask for again."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dcp.studies import execute
from dcp.studies.grid import Cell, cells, states
from dcp.studies.study import Study, read
from dcp.training.pretrain import pretrain
from dcp.training.request import Request

UP_TO_SEED_1 = "study.seeds=[0,1]"
ONE_RATE = "study.axes.optimizer.lr=[0.03]"
PUBLISHED = """
[[study.published]]
at = { optimizer.lr = 0.03, predictor.eps = 0.3 }
score = "knn.top1"
value = 50.0
source = "Nobody 2021, Table 1"
"""


def content(runs: Path, name: str) -> dict:
    return json.loads((runs / "little" / name).read_text())


def seeds_of_arms(runs: Path) -> dict[str, list[int]]:
    return {arm["name"]: arm["seeds"] for arm in content(runs, "comparison.json")["arms"]}


@pytest.fixture
def runs(tiny: Path, tmp_path: Path) -> Path:
    """Where a study of two arms was run with seed 0."""
    tiny.write_text(tiny.read_text().replace("predictor.eps = [0.1, 0.3]", "predictor.eps = [0.3]") + PUBLISHED)
    execute.run(read(str(tiny), ("study.seeds=[0]",)), Request(tmp_path / "runs", device="cpu"))
    return tmp_path / "runs"


def test_a_call_for_another_seed_compares_the_seeds_of_the_calls_before_too(tiny, runs):
    result = execute.run(read(str(tiny)).with_seeds((1,)), Request(runs, device="cpu"))
    assert len(result.outcome.done) == 2
    assert seeds_of_arms(runs) == {"little-lr0.03-eps0.3": [0, 1], "little-lr0.1-eps0.3": [0, 1]}
    assert [len(one.values) for one in result.reproductions] == [2]


def test_a_call_for_a_part_of_the_arms_keeps_the_others_and_their_order(tiny, runs, dcp):
    before = content(runs, "study.json")["arms"]
    execute.run(read(str(tiny), ("study.axes.optimizer.lr=[0.1,0.2]", "study.seeds=[0]")), Request(runs))
    arms = content(runs, "study.json")["arms"]
    assert [arm["name"] for arm in before] == ["lr0.03-eps0.3", "lr0.1-eps0.3"]
    assert sorted(arm["name"] for arm in arms) == ["lr0.03-eps0.3", "lr0.1-eps0.3", "lr0.2-eps0.3"]
    execute.run(read(str(tiny), (ONE_RATE, "study.seeds=[0]")), Request(runs))
    assert content(runs, "study.json")["arms"] == arms
    assert list(seeds_of_arms(runs)) == [arm["run"] for arm in arms]
    said = json.loads(dcp("compare", "little", "--runs", runs, "--json").out.splitlines()[-1])
    assert said == content(runs, "comparison.json")


def test_an_arm_whose_runs_were_deleted_leaves_the_study(tiny, runs):
    (runs / "little-lr0.1-eps0.3-s0").rename(runs.parent / "elsewhere")
    execute.run(read(str(tiny), (ONE_RATE, UP_TO_SEED_1)), Request(runs))
    assert [arm["name"] for arm in content(runs, "study.json")["arms"]] == ["lr0.03-eps0.3"]
    assert seeds_of_arms(runs) == {"little-lr0.03-eps0.3": [0, 1]}


def test_runs_with_other_settings_are_compared_as_such_and_do_not_stand_beside_published_numbers(tiny, runs):
    sets = (ONE_RATE, "study.seeds=[1]", "optimizer.momentum=0.8")
    (ours,) = execute.run(read(str(tiny), sets), Request(runs, device="cpu")).reproductions
    assert len(ours.values) == 1
    assert content(runs, "comparison.json")["settings"][-1]["key"] == "optimizer.momentum"
    assert len(seeds_of_arms(runs)) == 3


def test_runs_that_did_not_end_or_cannot_be_read_have_no_part_and_the_latter_are_told(tiny, runs):
    study = read(str(tiny)).with_seeds((1,))
    (runs / "little-lr0.03-eps0.3-s0/probes/knn.json").write_text("{")
    (runs / "little-lr0.1-eps0.3-s0/encoder.safetensors").unlink()
    said: list[str] = []
    execute.run(study, Request(runs, device="cpu", say=said.append))
    assert seeds_of_arms(runs) == {"little-lr0.03-eps0.3": [1], "little-lr0.1-eps0.3": [1]}
    (told,) = said
    assert "little-lr0.03-eps0.3-s0 has no part in the results" in told
    assert "knn.json" in told


def test_a_damaged_list_of_arms_is_written_anew(tiny, runs):
    (runs / "little/study.json").write_text("{")
    execute.run(read(str(tiny), ("study.seeds=[0]",)), Request(runs, device="cpu"))
    assert [arm["name"] for arm in content(runs, "study.json")["arms"]] == ["lr0.03-eps0.3", "lr0.1-eps0.3"]


@pytest.fixture
def unlabelled(tiny: Path, tmp_path: Path) -> Study:
    """A study of two runs on images without classes."""
    root, draw = tmp_path / "images", np.random.default_rng(0)
    root.mkdir()
    for i in range(32):
        Image.fromarray(draw.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(root / f"{i}.png")
    data = f'source = "folder"\nroot = "{root.as_posix()}"\nimage_size = 16\n'
    text = tiny.read_text().replace('source = "shapes"\nimages = 64\ntest_images = 32\n', data)
    tiny.write_text(text.replace('after = ["knn"]', 'after = ["knn", "linear", "spectrum"]'))
    return read(str(tiny), ("study.axes.predictor.eps=[0.3]", "study.seeds=[0]"))


def test_probes_that_need_labels_are_not_asked_for_again_where_images_have_none(unlabelled, tiny, tmp_path, dcp):
    runs = tmp_path / "runs"
    assert len(execute.run(unlabelled, Request(runs, device="cpu")).outcome.done) == 2
    assert set(states(unlabelled, runs).values()) == {"done"}
    trained: list[Cell] = []
    result = execute.run(unlabelled, Request(runs, device="cpu"), trained.append)
    assert trained == []
    assert len(result.outcome.skipped) == 2
    sets = ("study.axes.predictor.eps=[0.3]", "study.seeds=[0]")
    assert "2 runs, 0 published numbers; 0 runs left" in dcp("pretrain", tiny, *sets, "--runs", runs, "--dry-run").out
    (cells(unlabelled)[0].path(runs) / "probes/spectrum.json").unlink()
    assert list(states(unlabelled, runs).values()) == ["unmeasured", "done"]


def test_they_are_asked_for_where_other_images_with_labels_are_named(unlabelled, tiny, tmp_path):
    cell = cells(unlabelled)[0]
    pretrain(cell.recipe, Request(tmp_path, device="cpu"))
    shapes = ("probe.data.source=shapes", "probe.data.image_size=16", "probe.data.images=32")
    named = read(str(tiny), ("study.axes.predictor.eps=[0.3]", "study.seeds=[0]", *shapes))
    assert states(unlabelled, tmp_path)[cell] == "done"
    assert states(named, tmp_path)[cells(named)[0]] == "unmeasured"
