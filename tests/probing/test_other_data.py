"""Probes of a finished run: every evaluation is written, read and compared; other images have files of their own."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import dcp as package
from dcp.errors import RequestError
from dcp.probing import features
from dcp.runs.run import Run

OTHERS = ("--set", "probe.data.images=80", "--set", "probe.data.test_images=40")
EXPENSIVE = ("lowlabel", "clustering", "retrieval", "finetune")
QUICK = (
    "probe.lowlabel.draws=2",
    "probe.clustering.resamples=10",
    "probe.finetune.epochs=1",
    "probe.finetune.lr=[0.1]",
)


@pytest.fixture
def runs(trained: Path, other: Path, tmp_path: Path) -> list[Path]:
    """Copies of two finished runs that a test may change."""
    return [Path(shutil.copytree(path, tmp_path / path.name)) for path in (trained, other)]


def test_probes_on_other_images_are_written_beside_the_first(runs: list[Path], dcp: Callable) -> None:
    before = (runs[0] / "probes/linear.json").read_bytes()
    said = dcp("probe", runs[0], "-e", "linear", "-e", "knn", "--data", "shapes", *OTHERS, "--json")
    assert said.code == 0
    assert "linear@shapes, 40 test images" in said.out
    assert (runs[0] / "probes/linear.json").read_bytes() == before
    written = json.loads(said.out.splitlines()[-1])[str(runs[0])]
    assert set(written) == {"linear@shapes", "knn@shapes"}
    found = Run.open(runs[0]).probes()["linear@shapes"]
    assert found.n == 40 == len(Run.open(runs[0]).predictions("linear@shapes")["label"])
    assert found.settings["train_images"] == 80
    assert found.random_encoder.score["top1"] >= 0


def test_an_evaluation_on_other_images_is_one_of_its_own_in_a_comparison(runs: list[Path], dcp: Callable) -> None:
    for run in runs:
        package.probe(run, ["knn"], data="shapes", sets=["probe.data.images=80", "probe.data.test_images=40"])
    names = {row["evaluation"] for row in package.compare(runs)["scores"]}
    assert {"knn", "knn@shapes"} <= names
    assert "knn@shapes" in dcp("compare", *runs, "--details").out


def pets(root: Path, held_out: int = 4) -> str:
    """A folder of images of two classes; what names it to a probe."""
    from PIL import Image

    draw = np.random.default_rng(0)
    for split, n in (("train", 6), ("val", held_out)):
        for i in range(n):
            place = root / split / f"class{i % 2}"
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(draw.integers(0, 255, (50, 70, 3), dtype=np.uint8)).save(place / f"{i}.png")
    return f"probe.data.root={json.dumps(str(root))}"


def test_the_encoder_keeps_its_image_size_whatever_that_of_the_others(runs: list[Path], tmp_path: Path) -> None:
    where = pets(tmp_path / "my pets!")
    found = package.probe(runs[0], ["knn", "spectrum"], data="folder", sets=[where])
    assert set(found) == {"knn@my-pets", "spectrum@my-pets"}
    assert found["knn@my-pets"]["n"] == 4
    assert found["knn@my-pets"]["data"]["source"] == "folder"


def test_a_probe_of_another_folder_of_the_same_name_is_refused_before_any_features_are_made(
    runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cats, dogs = (pets(tmp_path / kind / "images", n) for kind, n in (("cats", 4), ("dogs", 6)))
    package.probe(runs[0], ["knn"], data="folder", sets=[cats])
    written = {path: path.read_bytes() for path in (runs[0] / "probes").iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr(features, "features", lambda *_: pytest.fail("features were made"))
        with pytest.raises(RequestError) as refused:
            package.probe(runs[0], ["knn", "spectrum"], data="folder", sets=[dogs])
    assert refused.value.slug == "probe-differs"
    assert "knn@images of this run is of other images" in str(refused.value)
    assert "knn@images.json, knn@images.safetensors" in refused.value.hint
    assert {path: path.read_bytes() for path in (runs[0] / "probes").iterdir()} == written
    (tmp_path / "dogs-too").symlink_to(tmp_path / "dogs/images")
    again = package.probe(runs[0], ["knn"], data="folder", sets=[dogs.replace("dogs/images", "dogs-too")])
    assert again["knn@dogs-too"]["n"] == 6
    assert package.probe(runs[0], ["knn"], data="folder", sets=[cats])["knn@images"]["n"] == 4  # its own it may replace
    for name in ("knn@images.json", "knn@images.safetensors"):
        (runs[0] / "probes" / name).unlink()
    assert package.probe(runs[0], ["knn"], data="folder", sets=[dogs])["knn@images"]["n"] == 6


def test_a_folder_that_is_called_as_a_data_set_does_not_replace_the_probe_of_that(
    runs: list[Path], tmp_path: Path, dcp: Callable
) -> None:
    assert dcp("probe", runs[0], "-e", "knn", "--data", "shapes", *OTHERS).code == 0
    said = dcp("probe", runs[0], "-e", "knn", "--data", "folder", "--set", pets(tmp_path / "shapes"))
    assert said.code == 2
    assert "error[probe-differs]" in said.err
    assert Run.open(runs[0]).probes()["knn@shapes"].n == 40


def test_a_probe_that_cannot_be_read_or_does_not_name_its_images_is_replaced(runs: list[Path], tmp_path: Path) -> None:
    where = pets(tmp_path / "pets")
    for text in ("{", '{"score": {}}', '{"data": null}'):
        (runs[0] / "probes/knn@pets.json").write_text(text)
        assert package.probe(runs[0], ["knn"], data="folder", sets=[where])["knn@pets"]["n"] == 4


def test_other_images_that_are_unknown_or_missing_are_refused(runs: list[Path], tmp_path: Path, dcp: Callable) -> None:
    said = dcp("probe", runs[0], "-e", "knn", "--data", "cifar1000")
    assert said.code == 2
    assert "cifar1000" in said.err
    assert "cifar100" in said.err
    said = dcp("probe", runs[0], "-e", "knn", "--data", "stl10", "--set", f'probe.data.root="{tmp_path}/none"')
    assert said.code == 2
    assert "stl10 is not there" in said.err
    assert "knn@" not in str(sorted((runs[0] / "probes").iterdir()))


def test_a_broken_probe_of_other_images_says_how_to_measure_again(runs: list[Path], dcp: Callable) -> None:
    (runs[0] / "probes/knn@shapes.json").write_text("{")
    said = dcp("compare", *runs)
    assert said.code == 2
    assert f"dcp probe {runs[0]} -e knn --data shapes" in said.err


def test_a_broken_probe_is_told_before_others_are_measured(runs: list[Path], dcp: Callable) -> None:
    (runs[0] / "probes/linear.json").write_text("[]")
    before = (runs[0] / "probes/knn.json").stat().st_mtime_ns
    said = dcp("probe", runs[0], "-e", "knn")
    assert said.code == 2
    assert "probes/linear.json" in said.err
    assert (runs[0] / "probes/knn.json").stat().st_mtime_ns == before


def test_the_broken_probe_itself_is_measured_again(runs: list[Path], dcp: Callable) -> None:
    (runs[0] / "probes/knn.json").write_text("[]")
    assert dcp("probe", runs[0], "-e", "knn").code == 0
    assert Run.open(runs[0]).probes()["knn"].n > 0


def test_files_of_other_names_among_the_probes_are_left_alone(runs: list[Path], dcp: Callable) -> None:
    for name in ("\x1b[31mknn.json", "my notes.json", ".hidden.json"):
        (runs[0] / "probes" / name).write_text("[]")
    said = dcp("compare", *runs)
    assert said.code == 0
    assert "\x1b[31m" not in said.out
    assert (runs[0] / "probes/my notes.json").read_text() == "[]"


def test_the_expensive_evaluations_run_from_the_command_and_are_compared(runs: list[Path], dcp: Callable) -> None:
    names = [word for name in EXPENSIVE for word in ("-e", name)]
    sets = [word for one in QUICK for word in ("--set", one)]
    assert dcp("probe", *runs, *names, *sets, "--quiet").code == 0
    found = Run.open(runs[0]).probes()
    assert set(EXPENSIVE) <= set(found)
    for name in EXPENSIVE:
        for score, (low, high) in found[name].interval.items():
            assert low <= found[name].score[score] <= high
        assert set(found[name].random_encoder.score) == set(found[name].score)
    arrays = Run.open(runs[0]).predictions("retrieval")
    assert arrays["map"].dtype == np.float64
    assert arrays["map"].mean() == pytest.approx(found["retrieval"].score["map"])
    said = dcp("compare", *runs, "--details")
    assert said.code == 0
    assert all(name in said.out for name in EXPENSIVE)


def test_what_training_runs_by_itself_stays_cheap() -> None:
    from dcp.recipe.recipe import Recipe

    assert Recipe.read("tiny/directcopy").probe.after == ("knn", "linear", "spectrum")
