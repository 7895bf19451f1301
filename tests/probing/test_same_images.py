"""Scores of a run that stand together are of the same images, wherever the command was given and whatever has grown."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dcp as package
from dcp.errors import RequestError
from dcp.runs.run import Run

SETS = ("data.source=folder", "data.root=images", "data.image_size=16", "train.batch=8", "train.epochs=1")


def pictures(root: Path, train: int, held_out: int) -> None:
    """So many images of each of two classes."""
    draw = np.random.default_rng(train)
    for split, n in (("train", train), ("val", held_out)):
        for i in range(2 * n):
            place = root / split / f"class{i % 2}"
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(draw.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(place / f"{i}.png")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a run of the relative data.root "images" was trained; tests must not change it."""
    home = tmp_path_factory.mktemp("home")
    pictures(home / "images", 12, 6)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        package.pretrain("tiny/directcopy", sets=[*SETS, "probe.after=['linear']"])
    return home


@pytest.fixture
def run(home: Path, tmp_path: Path) -> Path:
    """A copy of that run; its images stay at home."""
    return Path(shutil.copytree(home / "runs/directcopy-s0", tmp_path / "runs/directcopy-s0"))


def test_a_relative_root_begins_where_the_run_began_wherever_it_is_probed(
    home: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures(tmp_path / "images", 20, 10)  # another folder of the same name, where the command is given
    monkeypatch.chdir(tmp_path)
    assert package.probe(run, ["knn"])["knn"]["n"] == 12
    assert 'root = "images"' in (run / "recipe.toml").read_text()
    assert json.loads((run / "run.json").read_text())["roots"] == {"data.root": str(home / "images")}


def test_a_root_that_is_given_begins_where_it_is_given_and_other_images_replace_nothing(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dcp: Callable
) -> None:
    pictures(tmp_path / "images", 20, 10)
    monkeypatch.chdir(tmp_path)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    said = dcp("probe", run, "-e", "knn", "--set", "data.root=images")
    assert said.code == 2
    assert "error[data-differ]" in said.err
    assert "24 images then, 40 now" in said.err
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_on_another_machine_a_relative_root_begins_at_the_current_folder(
    home: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "roots": {"data.root": "/gone/images"}}))
    shutil.copytree(home / "images", tmp_path / "images")
    monkeypatch.chdir(tmp_path)
    assert package.probe(run, ["knn"])["knn"]["n"] == 12
    shutil.move(tmp_path / "images", tmp_path / "elsewhere")
    assert package.probe(run, ["knn"], sets=["data.root=elsewhere"])["knn"]["n"] == 12


def test_a_probe_of_a_folder_that_has_grown_is_refused_with_both_counts(
    home: Path, run: Path, tmp_path: Path, dcp: Callable
) -> None:
    root = Path(shutil.copytree(home / "images", tmp_path / "grown"))
    shutil.copy(root / "val/class0/0.png", root / "val/class0/new.png")
    before = {path: path.read_bytes() for path in (run / "probes").iterdir()}
    for words in (["-e", "knn"], ["-e", "linear"], []):
        said = dcp("probe", run, *words, "--set", f'data.root="{root}"')
        assert said.code == 2
        assert "error[probe-differs]" in said.err
        assert "24 train images and 12 test images there, 24 train images and 13 test images here" in said.err
        assert {path: path.read_bytes() for path in (run / "probes").iterdir()} == before
    assert dcp("probe", run, "-e", "knn", "--data", "folder", "--set", f'probe.data.root="{root}"').code == 0
    assert Run.open(run).probes()["knn@grown"].n == 13


def test_probes_of_other_images_that_stand_together_are_of_the_same_ones(run: Path, tmp_path: Path) -> None:
    for kind, n in (("cats", 6), ("dogs", 8)):
        pictures(tmp_path / kind / "pets", n, n)
    package.probe(run, ["linear"], data="folder", sets=[f'probe.data.root="{tmp_path}/cats/pets"'])
    with pytest.raises(RequestError) as refused:
        package.probe(run, ["knn"], data="folder", sets=[f'probe.data.root="{tmp_path}/dogs/pets"'])
    assert refused.value.slug == "probe-differs"
    assert "linear@pets of this run is of other images" in str(refused.value)


def test_a_run_is_resumed_from_elsewhere_on_its_own_images(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = json.loads((home / "runs/directcopy-s0/run.json").read_text())
    shutil.copytree(home / "runs", tmp_path / "runs")
    path = tmp_path / "runs/directcopy-s0/run.json"
    path.write_text(json.dumps({**record, "status": "interrupted"}))
    pictures(tmp_path / "images", 20, 10)
    monkeypatch.chdir(tmp_path)
    assert package.pretrain("runs/directcopy-s0/recipe.toml", resume=True).samefile(path.parent)
    assert json.loads(path.read_text())["roots"] == {"data.root": str(home / "images")}
    shutil.copytree(home / "images", tmp_path / "copy")
    package.pretrain("runs/directcopy-s0/recipe.toml", sets=["data.root=copy"], resume=True)
    assert json.loads(path.read_text())["roots"] == {"data.root": str(tmp_path / "copy")}
