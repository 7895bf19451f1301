"""Runs on images that are more than bytes of red, green and blue: from files to probes, and on after a stop."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

import dcp as package
from dcp.errors import Problems, RequestError
from dcp.method import backbones
from dcp.recipe.recipe import Recipe
from dcp.runs.run import Run
from dcp.training.request import Request

SMALL = (
    "data.image_size=16",
    "train.batch=8",
    "train.workers=0",
    "train.epochs=2",
    "run.name=x",
    "train.precision=fp32",
)
COLOURLESS = ("views.jitter_p=0.0", "views.grayscale=0.0", "views.solarize=0.0")


def make(root: Path, channels: int) -> tuple[str, ...]:
    """Images of two classes, a narrow part of 16 bits; what names them to a recipe."""
    draw = np.random.default_rng(channels)
    for split, each in (("train", 12), ("val", 4)):
        for name in "ab":
            for i in range(each):
                path = root / split / name / f"{i}.npy"
                path.parent.mkdir(parents=True, exist_ok=True)
                np.save(path, (30_000 + draw.integers(0, 200, (20, 24, channels))).astype(np.uint16))
    return ("data.source=folder", f"data.root={json.dumps(str(root))}", f"data.channels={channels}", *SMALL)


@pytest.fixture
def train(dcp: Callable, tmp_path: Path) -> Callable:
    """`dcp pretrain tiny/directcopy` with further words."""
    return lambda *words, runs="runs": dcp(
        "pretrain", "tiny/directcopy", *words, "--runs", tmp_path / runs, "--device", "cpu"
    )


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_a_run_trains_probes_and_gives_an_encoder_of_such_images(
    train: Callable, tmp_path: Path, channels: int
) -> None:
    sets = (*make(tmp_path / "data", channels), *COLOURLESS, "data.depth=16", "views.normalize=computed")
    said = train(*sets, 'probe.after=["knn","finetune","pictures"]', "probe.finetune.epochs=1")
    assert said.code == 0, said.err
    assert "computed on 24 of 24 images" in said.out
    run = Run.open(tmp_path / "runs/x-s0")
    mean, std = json.loads((run.path / "run.json").read_text())["data"]["mean_std"]
    assert (len(mean), len(std)) == (channels, channels)
    assert all(abs(m - 30_100 / 65_535) < 1e-3 for m in mean)
    with safe_open(run.path / "encoder.safetensors", "pt") as file:
        header = file.metadata()
        assert file.get_tensor("conv1.weight").shape[1] == channels
    assert header["channels"] == str(channels)
    assert json.loads(header["mean_std"]) == [mean, std]
    encoder = package.load_encoder(run.path)
    one = tmp_path / "data/val/a/0.npy"
    x = encoder.preprocess(str(one))
    assert torch.equal(x, encoder.preprocess(np.load(one)))
    assert (x.shape, bool(abs(x).mean() < 2), bool(x.std() > 0.3)) == ((channels, 16, 16), True, True)
    assert encoder([str(one), np.load(one)]).shape[0] == 2
    assert run.predictions("pictures")["map_image"].shape[1] == 3


def test_a_stopped_run_goes_on_and_is_probed_with_the_statistics_that_it_began_with(
    train: Callable, dcp: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets = (
        *make(tmp_path / "data", 2),
        *COLOURLESS,
        "views.normalize=computed",
        'probe.after=["knn"]',
        "train.save_every=1",
    )
    assert train(*sets).code == 0
    whole = Run.open(tmp_path / "runs/x-s0")
    from dcp.training.step import Step

    taken = Step.__call__

    def stops(self: Step, batch: object, place: int) -> object:
        if batch.step == 4:  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        return taken(self, batch, place)

    with monkeypatch.context() as patched:
        patched.setattr(Step, "__call__", stops)
        train(*sets, runs="stopped")
    monkeypatch.setattr("dcp.data.statistics.computed", lambda *_: pytest.fail("computed again"))
    assert train(*sets, "--resume", runs="stopped").code == 0
    stopped = Run.open(tmp_path / "stopped/x-s0")
    assert len(stopped.record.sittings) == 2
    for name in ("encoder.safetensors", "probes/knn.json", "probes/knn.safetensors"):
        assert (whole.path / name).read_bytes() == (stopped.path / name).read_bytes()
    (whole.path / "probes/knn.json").unlink()
    assert dcp("probe", whole.path, "-e", "knn").code == 0
    assert (whole.path / "probes/knn.json").read_bytes() == (stopped.path / "probes/knn.json").read_bytes()
    assert train(*sets, "views.normalize=none", "--resume").code == 2


def test_workers_make_the_same_bytes_as_the_process_that_trains(train: Callable, tmp_path: Path) -> None:
    sets = (*make(tmp_path / "data", 5), *COLOURLESS, "probe.after=[]")
    assert train(*sets).code == train(*sets, "train.workers=2", runs="two").code == 0
    one, two = (tmp_path / runs / "x-s0/metrics.jsonl" for runs in ("runs", "two"))
    losses = [[json.loads(line).get("loss") for line in path.read_text().splitlines()] for path in (one, two)]
    assert losses[0] == losses[1]


def test_without_workers_no_process_is_started_also_for_statistics(
    train: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dcp.data.readers.Reader", lambda *_: pytest.fail("a process was started"))
    sets = (*make(tmp_path / "data", 2), *COLOURLESS, "views.normalize=computed", "probe.workers=0", "train.epochs=1")
    ended = train(*sets, 'probe.after=["knn"]')
    assert ended.code == 0, ended.err


def test_a_reader_that_is_lost_while_statistics_are_computed_is_told_of_by_the_key_of_training(
    train: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("multiprocessing.process.BaseProcess.start", fails)
    sets = (*make(tmp_path / "data", 2), *COLOURLESS, "views.normalize=computed", "train.workers=3", "probe.workers=0")
    ended = train(*sets, "probe.after=[]")
    assert ended.code == 1
    assert "train.workers=0" in ended.err
    assert "probe.workers" not in ended.err


def test_the_processes_of_a_training_share_the_cores_for_statistics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dcp.training import sources

    asked = []
    monkeypatch.setattr("dcp.data.statistics.computed", lambda data, size, workers: asked.append(workers) or ((), ()))
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(17), raising=False)
    recipe = Recipe.read("tiny/directcopy", ("views.normalize=computed",))
    sources.images(recipe, Request(Path()), None, SimpleNamespace(count=4, is_main=True, wait=lambda: None))  # type: ignore[arg-type]
    assert asked == [4]


def test_statistics_of_images_in_memory_are_computed_too(train: Callable, tmp_path: Path) -> None:
    assert train("views.normalize=computed", 'probe.after=["knn"]', "run.name=y", "train.epochs=1").code == 0
    run = Run.open(tmp_path / "runs/y-s0")
    mean, std = json.loads((run.path / "run.json").read_text())["data"]["mean_std"]
    assert len(mean) == len(std) == 3
    encoder = package.load_encoder(run.path)
    assert encoder.config.statistics() == (tuple(mean), tuple(std))


FOLDER = {"source": "folder", "root": "x"}
CLASHES = {
    "jitter of 1": ({"channels": 1}, {"grayscale": 0.0}, "views.jitter.saturation = 0, views.jitter.hue = 0; or views"),
    "jitter of 5": ({"channels": 5}, {"grayscale": 0.0}, "views.jitter_p = 0"),
    "one view's": ({"channels": 5}, {"jitter_p": [0.0, 0.1], "grayscale": 0.0}, "views.jitter_p = 0"),
    "grayscale": ({"channels": 2}, {"jitter_p": 0.0}, "views.grayscale = 0"),
    "solarize": ({"channels": 1}, {"jitter_p": 0.0, "grayscale": 0.0, "solarize": 0.2}, "views.solarize = 0"),
    "imagenet": ({"channels": 1}, {"jitter_p": 0.0, "grayscale": 0.0, "normalize": "imagenet"}, "computed"),
    "few means": ({}, {"normalize": {"mean": [0.5], "std": [0.1]}}, "a number for each channel"),
    "few deviations": ({}, {"normalize": {"mean": [0.5] * 3, "std": [0.1] * 2}}, "a number for each channel"),
    "none": ({"channels": 0}, {}, "1"),
    "too many": ({"channels": 17}, {}, "16"),
    "depth": ({"depth": 12}, {}, "8"),
    "no number": ({"channels": "grey"}, {}, "whole number"),
}


@pytest.mark.parametrize("wrong", CLASHES)
def test_what_does_not_go_with_the_channels_is_refused_with_the_keys_to_set(wrong: str) -> None:
    data, views, words = CLASHES[wrong]
    table = {"data": {**FOLDER, **data}, "views": views, "predictor": {"name": "directcopy"}}
    with pytest.raises(Problems) as caught:
        Recipe.check(table)
    assert re.search(re.escape(words), "\n".join(error.hint for error in caught.value.problems))


def test_probes_of_images_of_other_channels_are_refused() -> None:
    off = {"jitter_p": 0.0, "grayscale": 0.0}
    table = {"data": {**FOLDER, "channels": 1}, "views": off, "predictor": {"name": "directcopy"}}
    with pytest.raises(Problems, match=r"the images of probe\.data have 3 channels, and those of data 1"):
        Recipe.check(table | {"probe": {"data": {"source": "cifar10"}}})


OPTIONS = {"stem": "imagenet", "width": 64, "norm": "batch"}


@pytest.mark.parametrize(
    "name",
    ["resnet18", "torchvision/mobilenet_v3_small", "torchvision/vit_b_32", "vit_tiny_patch16_224", "resnetv2_50"],
)
@pytest.mark.parametrize("channels", [1, 5])
def test_backbones_of_all_libraries_take_any_number_of_channels(name: str, channels: int) -> None:
    torch.manual_seed(0)
    net, features = backbones.backbone(name, image_size=32, channels=channels, **OPTIONS)
    assert net.eval()(torch.rand(2, channels, 32, 32)).shape == (2, features)


def test_a_new_first_convolution_begins_with_outputs_as_large_as_the_models_own() -> None:
    sizes = []
    for channels in (3, 1, 12):
        torch.manual_seed(0)
        net, _ = backbones.backbone("torchvision/vit_b_32", image_size=32, channels=channels, **OPTIONS)
        sizes.append(float(net.conv_proj(torch.randn(64, channels, 32, 32)).detach().std()))
    assert max(sizes) / min(sizes) < 1.1


def test_a_backbone_that_takes_colours_alone_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    made = backbones.timm.create_model

    def colours_alone(name: str, **options: object) -> object:
        if "in_chans" in options:
            raise TypeError("unexpected keyword argument")
        return made(name, **options)

    monkeypatch.setattr(backbones.timm, "create_model", colours_alone)
    with pytest.raises(RequestError, match="takes images of 3 channels, and these have 5") as caught:
        backbones.backbone("vit_tiny_patch16_224", image_size=32, channels=5, **OPTIONS)
    assert caught.value.slug == "bad-network"


def test_a_run_of_a_dcp_without_these_keys_goes_on(train: Callable, tmp_path: Path) -> None:
    sets = (*make(tmp_path / "data", 3), "data.depth=16", "probe.after=[]")
    for path in (tmp_path / "data").rglob("*.npy"):
        Image.fromarray(np.load(path).astype(np.uint8)).save(path.with_suffix(".png"))
        path.unlink()
    assert train(*sets[:-2], "probe.after=[]").code == 0
    recipe = tmp_path / "runs/x-s0/recipe.toml"
    assert "channels = 3\n" in recipe.read_text()
    recipe.write_text(recipe.read_text().replace("channels = 3\n", ""))
    (tmp_path / "runs/x-s0/encoder.safetensors").unlink()
    assert train(*sets[:-2], "probe.after=[]", "--resume").code == 0
    refused = train(*sets, "--resume")
    assert (refused.code, "data.depth: not set there, 16 here" in refused.err) == (2, True)
