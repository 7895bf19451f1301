"""Runs on folders of somebody's own images: what is said of them, and what the run keeps."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dcp.runs.run import Run
from dcp.training.trainer import Trainer

SMALL = ("data.image_size=16", "train.batch=8", "train.workers=0", "train.epochs=1", "probe.after=[]", "run.name=x")


def make(root: Path, classes: tuple[str, ...] = ("1", "2", "10"), dtype: type = np.uint8) -> tuple[str, ...]:
    """Images of some classes; what names them to a recipe."""
    draw = np.random.default_rng(0)
    for split, each in (("train", 4), ("val", 2)):
        for name in classes:
            for i in range(each):
                path = root / split / name / f"{i}.{'png' if dtype is np.uint8 else 'tif'}"
                path.parent.mkdir(parents=True, exist_ok=True)
                pixels = draw.random((20, 24)) * (255 if dtype is np.uint8 else 3)
                Image.fromarray(pixels.astype(dtype)).save(path)
    return ("data.source=folder", f"data.root={json.dumps(str(root))}", *SMALL)


@pytest.fixture
def train(dcp: Callable, tmp_path: Path) -> Callable:
    """`dcp pretrain tiny/directcopy` with further words."""
    return lambda *words: dcp("pretrain", "tiny/directcopy", *words, "--runs", tmp_path / "runs", "--device", "cpu")


def test_what_is_left_out_is_told_at_the_start_in_the_dry_run_and_in_the_record(
    train: Callable, tmp_path: Path
) -> None:
    sets = make(tmp_path / "data")
    for name in ("1/a.svg", "1/b.svg", "2/c.heic"):
        (tmp_path / "data/train" / name).touch()
    words = f"not read in {tmp_path / 'data/train'}: 2 .svg files, 1 .heic file"
    assert f"  {words}\n" in train(*sets, "--dry-run").out
    assert f"{words}\n" in train(*sets).out
    data = json.loads((tmp_path / "runs/x-s0/run.json").read_text())["data"]
    assert (data["left_out"], data["range"], data["n"]) == ({"svg": 2, "heic": 1}, None, 12)


def test_each_prediction_leads_to_its_file_and_each_number_of_a_class_to_its_name(
    train: Callable, tmp_path: Path
) -> None:
    assert train(*make(tmp_path / "data"), 'probe.after=["knn","linear"]').code == 0
    run = Run.open(tmp_path / "runs/x-s0")
    probe = json.loads((run.path / "probes/knn.json").read_text())
    assert probe["classes"] == ["1", "10", "2"]
    (listed,) = (run.path / "probes").glob("images-*.txt")
    assert listed.name == f"images-{probe['data']['test']}.txt"
    names = listed.read_text().splitlines()
    assert names == ["1/0.png", "1/1.png", "10/0.png", "10/1.png", "2/0.png", "2/1.png"]
    assert [probe["classes"][k] for k in run.predictions("knn")["label"]] == [name.partition("/")[0] for name in names]


def test_of_one_class_nothing_is_measured_that_needs_labels(train: Callable, dcp: Callable, tmp_path: Path) -> None:
    said = train(*make(tmp_path / "data", ("cat",)), 'probe.after=["knn","spectrum"]', "train.batch=4")
    assert said.code == 0
    assert 'one class, "cat": no labels' in said.out
    assert "skipped: knn needs labels, and these data have none" in said.out
    assert [path.name for path in (tmp_path / "runs/x-s0/probes").glob("*.json")] == ["spectrum.json"]
    named = dcp("probe", tmp_path / "runs/x-s0", "-e", "knn")
    assert named.code == 2
    assert 'error[no-labels]: knn needs labels, and these data have none (one class, "cat": no labels)' in named.err


def test_a_measured_range_is_kept_for_resuming_and_for_probes(
    train: Callable, dcp: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets = (*make(tmp_path / "data", dtype=np.float32), "data.range=measured")
    refused = train(*sets[:-1])
    assert (refused.code, "error[no-range]" in refused.err) == (2, True)
    assert train(*sets).code == 0
    run = tmp_path / "runs/x-s0"
    low, high = json.loads((run / "run.json").read_text())["data"]["range"]
    assert 0 <= low < 0.1 < 2.9 < high <= 3

    def measured(files: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr("dcp.data.first_look.measured", measured)
    assert dcp("probe", run, "-e", "spectrum").code == 0
    (run / "encoder.safetensors").unlink()
    assert train(*sets, "--resume").code == 0
    assert json.loads((run / "run.json").read_text())["data"]["range"] == [low, high]


def test_a_fifo_that_takes_the_place_of_an_image_ends_the_training_at_once(
    train: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets, place, run = make(tmp_path / "data"), tmp_path / "data/train/2/3.png", Trainer.run

    def swapped(trainer: Trainer) -> Run:
        place.unlink()
        os.mkfifo(place)
        return run(trainer)

    monkeypatch.setattr(Trainer, "run", swapped)
    said = train(*sets, "train.workers=1", "train.epochs=2")
    assert said.code == 1
    assert f"error[broken-image]: cannot read an image: it is a FIFO, not a file ({place})" in said.err


def test_a_broken_training_image_is_to_be_restored_and_a_broken_test_image_is_to_go(
    train: Callable, tmp_path: Path
) -> None:
    sets = (*make(tmp_path / "data"), 'probe.after=["knn"]')
    place, other = tmp_path / "data/train/2/3.png", tmp_path / "data/val/2/1.png"
    whole, broken = place.read_bytes(), b"no image"
    other.write_bytes(broken)

    place.write_bytes(broken)
    said = train(*sets)
    assert said.code == 1
    assert f"({place})" in said.err
    assert "Was it whole when the run began? Restore that very file, and go on with --resume." in said.err
    assert "Else replace it, or take it out of the folder, and begin anew: run.name=NAME." in said.err
    place.write_bytes(whole)  # it was not
    assert "error[data-differ]" in train(*sets, "--resume").err
    place.write_bytes(broken)
    assert "error[broken-image]" in train(*sets, "--resume").err

    place.write_bytes(whole)
    said = train(*sets, "run.name=y")
    assert said.code == 1
    assert f"({other})" in said.err
    assert "It is for testing: replace the file, or take it out of the folder, and go on with --resume." in said.err
    other.unlink()
    assert train(*sets, "run.name=y", "--resume").code == 0
    assert json.loads((tmp_path / "runs/y-s0/probes/knn.json").read_text())["n"] == 5


def test_a_kill_before_the_scores_leaves_the_list_of_images_and_one_before_the_list_no_scores(
    train: Callable, dcp: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets, probes = make(tmp_path / "data"), tmp_path / "runs/x-s0/probes"
    assert train(*sets).code == 0

    def killed(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Run, "write_probe", killed)
        assert dcp("probe", probes.parent, "-e", "knn").code == 130
    (listed,) = probes.iterdir()
    assert len(listed.read_text().splitlines()) == 6
    listed.unlink()
    with monkeypatch.context() as patch:
        patch.setattr("dcp.probing.images_list.write", killed)
        assert dcp("probe", probes.parent, "-e", "knn").code == 130
    assert [*probes.iterdir()] == []


def test_a_dry_run_of_too_few_steps_to_time_says_so(train: Callable, tmp_path: Path) -> None:
    said = train(*make(tmp_path / "data"), "data.limit=8", "--dry-run", "--json")
    assert said.code == 0
    assert "time         too few steps to measure any\n" in said.out
    assert "3 classes; 6 test images in val/" in said.out
    cost = json.loads(said.out.splitlines()[-1], parse_constant=pytest.fail)
    assert [cost[key] for key in ("seconds_per_step", "images_per_s", "estimated_s")] == [None] * 3


def test_the_first_lines_of_a_run_say_how_many_classes_and_test_images_there_are(
    train: Callable, tmp_path: Path
) -> None:
    assert "3 classes; 6 test images in val/\n" in train(*make(tmp_path / "data")).out
