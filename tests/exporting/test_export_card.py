"""The model card of `dcp export`: its code, what it says of weights that training began with, how a run is repeated."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from made_runs import in_readme, made
from PIL import Image

import dcp
from dcp.recipe.recipe import Recipe
from dcp.runs import starting_sources
from dcp.runs.run import Run

PAPER = {
    "source": "resnet18.a1_in1k",
    "kind": "timm",
    "origin": "timm/resnet18.a1_in1k",
    "licence": "cc-by-nc-4.0",
    "left_out": [],
}
SCORES = {"score": {"top1": 0.5}, "n": 100, "random_encoder": {"score": {"top1": 0.25}, "what": "before training"}}
OWN = {"source": "folder", "root": "/home/ada/secret", "image_size": 32}
PLAIN = {"normalize": "none", "grayscale": 0.0, "jitter_p": 0.0}


@pytest.mark.parametrize("form", ["timm", "torchvision", "onnx"])
@pytest.mark.parametrize("kind", ["timm", "run"])
def test_the_weights_that_training_began_with_are_named_with_their_licence(
    tmp_path: Path, form: str, kind: str
) -> None:
    if form == "onnx":
        pytest.importorskip("onnxscript")
    source, name, word = PAPER["source"], PAPER["source"], "timm"
    if kind == "run":
        source, name, word = "/home/ada/secret/base-s0", "base-s0", "/home/ada/secret/base-s0"
    noted = {**PAPER, "kind": kind, "source": source, "origin": source}
    run = made(tmp_path / "runs", recorded={"weights": noted}, weights=word)
    Run.open(run).write_probe("knn", SCORES)
    out = dcp.export(run, form, tmp_path / "out")
    card = (out / "README.md").read_text()
    assert f"trained without labels, from the weights of {name}, by dcp" in card
    assert f"| start | {name}, licence cc-by-nc-4.0 |" in card
    assert f"They were made from those of {name}; licence of these: cc-by-nc-4.0." in card
    assert "may have been trained with labels" in card
    assert "| before training |" in card
    assert "untrained" not in card
    if form == "onnx":
        model = pytest.importorskip("onnx").load(out / "model.onnx")
        about = json.loads({entry.key: entry.value for entry in model.metadata_props}["dcp.starting_weights"])
    else:
        about = json.loads((out / "config.json").read_text())["starting_weights"]
        assert starting_sources.read(out).licence == "cc-by-nc-4.0", "who starts from the folder has no licence"
    assert about == {"name": name, "licence": "cc-by-nc-4.0"}
    for path in out.iterdir():
        assert b"secret" not in path.read_bytes(), f"{path.name} holds a path of this machine"


def test_of_random_weights_no_start_is_named_and_of_labels_the_card_says_how_many(tmp_path: Path) -> None:
    out = dcp.export(made(tmp_path / "runs"), "timm", tmp_path / "random")
    card = (out / "README.md").read_text()
    assert "trained without labels by dcp" in card
    assert "| start | random weights |" in card
    assert "made from" not in card
    assert "starting_weights" not in json.loads((out / "config.json").read_text())
    some = {"positives": {"name": "supsiam", "labelled": 0.25}}
    out = dcp.export(made(tmp_path / "runs", name="some", sections=some), "timm", tmp_path / "some")
    card = (out / "README.md").read_text()
    assert "trained with 25 % of the labels by dcp" in card
    assert "without labels" not in card


KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "one channel of 16 bits": ({"channels": 1, "depth": 16}, {}),
    "one channel, a range": ({"channels": 1, "depth": 16, "range": [1000.0, 12000.0]}, {}),
    "one channel of 8 bits, a range": ({"channels": 1, "range": "measured"}, {"range": [1000.0, 12000.0]}),
    "one channel of 8 bits": ({"channels": 1}, {}),
    "RGB with a range": ({"range": [1000.0, 12000.0]}, {}),
    "four channels of 16 bits": ({"channels": 4, "depth": 16}, {}),
}


@pytest.mark.parametrize("form", ["timm", "torchvision"])
@pytest.mark.parametrize("name", KINDS)
def test_the_code_of_the_card_scales_images_other_than_rgb_bytes_as_training_did(
    tmp_path: Path, form: str, name: str
) -> None:
    keys, known = KINDS[name]
    run = made(tmp_path / "runs", data={**OWN, **keys}, known=known, views=PLAIN)
    out, ours = dcp.export(run, form, tmp_path / "out"), dcp.load_encoder(run)
    random = np.random.default_rng(0)
    channels = keys.get("channels", 3)
    deep: Any = random.integers(0, 20_000, (45, 60, channels), np.uint16)
    given: list[Any] = [deep, (deep // 80).astype(np.uint8), deep[:32, :32]]
    if channels != 4:
        given += [Image.fromarray(deep[..., 0]), Image.fromarray((deep[..., 0] // 80).astype(np.uint8))]
    for image in given:
        names = in_readme(out, image)
        pixels = ours.preprocess(image)
        assert names["transform"](image).dtype == torch.float32
        torch.testing.assert_close(names["transform"](image), pixels, rtol=0, atol=1.1 / ours.layout.white)
        assert names["features"].shape == (1, 512)
        torch.testing.assert_close(names["features"][0], ours(image), rtol=0.05, atol=0.05)


def test_rgb_bytes_have_timms_own_transform(tmp_path: Path) -> None:
    out = dcp.export(made(tmp_path / "runs", data=OWN), "timm", tmp_path / "out")
    assert "timm.data.create_transform(" in (out / "README.md").read_text()
    model = timm.create_model(f"local-dir:{out}", pretrained=True, num_classes=0)
    assert model.num_features == 512


TEACHER = {"target": {"name": "distill", "teacher": "/home/ada/secret/teacher-s0"}}
CUT: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "nothing": ({}, {}),
    "the images": ({"data": OWN}, {"data.root": "/home/ada/secret"}),
    "the start": ({"weights": "/home/ada/secret/a-s0"}, {"network.weights": "/home/ada/secret/a-s0"}),
    "a library's start": ({"weights": "timm"}, {}),
    "the teacher": ({"sections": TEACHER}, {"target.teacher": "/home/ada/secret/teacher-s0"}),
    "the images of the probe": (
        {"data": OWN, "sections": {"probe": {"data": {**OWN, "root": "/home/ada/secret/other"}}}},
        {"data.root": "/home/ada/secret", "probe.data.root": "/home/ada/secret/other"},
    ),
}


@pytest.mark.parametrize("name", CUT)
def test_the_command_of_the_card_repeats_the_run_with_the_paths_put_in(tmp_path: Path, name: str) -> None:
    changes, paths = CUT[name]
    run = made(tmp_path / "runs", **changes)
    out = dcp.export(run, "timm", tmp_path / "out")
    card = (out / "README.md").read_text()
    assert "secret" not in card
    command = re.search(r"`dcp pretrain recipe\.toml(.*?)` repeats the run", card)
    assert command is not None
    keys = dict(word.split("=") for word in command[1].split())
    assert keys.keys() == paths.keys()
    for word in keys.values():
        assert f"`{word}`: " in card
    again = Recipe.read(str(out / "recipe.toml"), tuple(f'{key}="{path}"' for key, path in paths.items()))
    assert again == Recipe.check(Run.open(run).recipe())


@pytest.mark.parametrize("form", ["timm", "torchvision", "onnx"])
def test_the_card_says_which_images_are_not_resized(tmp_path: Path, form: str) -> None:
    out = dcp.export(made(tmp_path / "runs", data=OWN), form, tmp_path / "out")
    card = " ".join((out / "README.md").read_text().split())
    assert (
        "Resize the short side to 37 pixels (bilinear, antialiased), unless it has 32 already, crop the middle" in card
    )
