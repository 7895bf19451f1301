"""`dcp export` writes what other libraries load as the same network, or refuses in one sentence."""

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import timm
import tomli
import torch
from made_runs import RESNET, in_readme, made, rescaled
from PIL import Image
from safetensors.torch import load_file

import dcp
from dcp.errors import RequestError, RunError
from dcp.exporting import extras, hub
from dcp.exporting.formats import base
from dcp.exporting.formats.base import KEPT
from dcp.exporting.formats.timm import crop_pct
from dcp.recipe.recipe import Recipe
from dcp.runs.run import Run


@pytest.fixture
def photo() -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (12, 15, 3), np.uint8)
    return Image.fromarray(noise).resize((150, 120), Image.Resampling.BICUBIC)


@pytest.mark.slow
def test_from_a_recipe_over_features_in_a_file_to_timm_and_onnx_they_are_the_same(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    wide = ("network.width=64", "train.epochs=1", "probe.after=['knn']")
    run = dcp.pretrain("tiny/directcopy", sets=wide, runs=tmp_path / "runs")
    features, _ = dcp.embed(run, "shapes", split="test", out=tmp_path / "features.npy")
    from dcp.data.datasets import base as datasets
    from dcp.data.views import apply

    recipe = Recipe.check(Run.open(run).recipe())
    images = datasets.load(recipe.data, "test").images
    x = apply.normalize(images, recipe.views)
    dcp.export(run, "timm", tmp_path / "timm")
    model = timm.create_model(f"local-dir:{tmp_path / 'timm'}", pretrained=True, num_classes=0).eval()
    with torch.inference_mode():
        np.testing.assert_allclose(model(x).numpy(), features, rtol=0, atol=1e-5 * max(1, np.abs(features).max()))
    assert model.num_features == features.shape[1]
    dcp.export(run, "onnx", tmp_path / "onnx")
    names = in_readme(tmp_path / "onnx", pixels=images.numpy() / 255)
    np.testing.assert_allclose(names["features"], features, rtol=0, atol=1e-4 * max(1, np.abs(features).max()))
    card = (tmp_path / "timm/README.md").read_text()
    assert "| top1 in % |" in card
    assert "untrained" in card
    assert "## Diagnosis" in card
    theirs, ours = load_file(tmp_path / "timm/model.safetensors"), load_file(run / "encoder.safetensors")
    assert theirs.keys() == ours.keys()
    assert all(torch.equal(theirs[key], ours[key]) for key in ours)


@pytest.mark.parametrize("form", ["timm", "torchvision"])
@pytest.mark.parametrize("network", [{}, {"backbone": "resnet10"}, {"backbone": "torchvision/resnet18"}])
def test_the_card_loads_the_same_network_with_the_same_preprocessing(
    tmp_path: Path, photo: Image.Image, form: str, network: dict[str, Any]
) -> None:
    folder = {"source": "folder", "root": "/home/ada/secret", "image_size": 64}
    run = made(tmp_path, data=folder, **network)
    out = dcp.export(run, form, tmp_path / "out")
    found = in_readme(out, photo)
    ours = dcp.load_encoder(run)
    pixels = ours.preprocess(photo)
    assert found["transform"](photo).shape == pixels.shape
    assert (found["transform"](photo) - pixels).abs().max() < 2.1 / 255 / 0.22
    x = base.Subject.of(Run.open(run)).images(3)
    with torch.inference_mode():
        torch.testing.assert_close(found["encoder"](x), ours(x), rtol=0, atol=1e-5)
    torch.testing.assert_close(found["features"][0], ours(photo), rtol=0.05, atol=0.05)
    for path in out.iterdir():
        assert b"secret" not in path.read_bytes(), f"{path.name} holds a path of this machine"
    assert json.loads((out / "config.json").read_text())["num_features"] == 512


def test_timm_resizes_to_the_same_side_whatever_the_size() -> None:
    for size in range(8, 513):
        share = crop_pct(size, KEPT)
        assert math.floor(size / share) == round(size / KEPT)  # as timm.data.create_transform has it
        assert share == pytest.approx(KEPT, abs=0.05)


@pytest.mark.parametrize("form", ["timm", "torchvision", "onnx"])
def test_where_the_weights_were_that_training_began_with_stays_here(tmp_path: Path, form: str) -> None:
    if form == "onnx":
        pytest.importorskip("onnxscript")
    source = made(tmp_path / "secret")
    out = dcp.export(made(tmp_path / "runs", weights=str(source)), form, tmp_path / "out")
    for path in out.iterdir():
        assert b"secret" not in path.read_bytes(), f"{path.name} holds a path of this machine"


DEEP = {"source": "folder", "root": "x", "image_size": 32, "channels": 1}
GREY = {"normalize": "none", "grayscale": 0.0, "jitter_p": 0.0}


@pytest.mark.parametrize("form", ["timm", "torchvision", "onnx"])
def test_the_range_that_was_measured_is_in_the_card_the_configuration_and_the_recipe(tmp_path: Path, form: str) -> None:
    if form == "onnx":
        pytest.importorskip("onnxscript")
    known = {"range": [1002.0, 12309.4]}
    run = made(tmp_path, data={**DEEP, "range": "measured"}, views=GREY, known=known)
    out = dcp.export(run, form, tmp_path / "out")
    assert "(value - 1002.0) / (12309.4 - 1002.0)" in (out / "README.md").read_text()
    assert tomli.loads((out / "recipe.toml").read_text())["data"]["range"] == [1002.0, 12309.4]
    if form == "onnx":
        model = pytest.importorskip("onnx").load(out / "model.onnx")
        about = json.loads({entry.key: entry.value for entry in model.metadata_props}["dcp.preprocessing"])
    else:
        about = json.loads((out / "config.json").read_text())["preprocessing"]
    assert about["data_range"] == [1002.0, 12309.4]
    assert about["data_depth"] == 16


@pytest.mark.parametrize("stem", ["small", "small-stride2", "cifar-pad2"])
def test_torchvision_carries_small_stems_and_the_card_builds_them(tmp_path: Path, stem: str) -> None:
    run = made(tmp_path, stem=stem)
    out = dcp.export(run, "torchvision", tmp_path / "out")
    found = in_readme(out, Image.new("RGB", (32, 32)))
    x = base.Subject.of(Run.open(run)).images(2)
    with torch.inference_mode():
        torch.testing.assert_close(found["encoder"](x), dcp.load_encoder(run)(x), rtol=0, atol=1e-5)


def test_a_vision_transformer_of_another_size_goes_to_timm(tmp_path: Path) -> None:
    run = made(tmp_path, backbone="timm/vit_tiny_patch16_224")
    out = dcp.export(run, "timm", tmp_path / "out")
    config = json.loads((out / "config.json").read_text())
    assert config["model_args"] == {"img_size": 32}
    model = timm.create_model(f"local-dir:{out}", pretrained=True, num_classes=0).eval()
    x = base.Subject.of(Run.open(run)).images(2)
    with torch.inference_mode():
        torch.testing.assert_close(model(x), dcp.load_encoder(run)(x), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "network",
    [
        {"width": 8},
        {"width": 8, "stem": "small", "norm": "group"},
        {"backbone": "resnet10", "width": 16},
        {"backbone": "timm/vit_tiny_patch16_224"},
        {"backbone": "torchvision/squeezenet1_1"},
    ],
    ids=str,
)
def test_onnx_carries_every_network_with_any_batch_and_says_how_images_become_its_input(
    tmp_path: Path, network: dict[str, Any]
) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    run = made(tmp_path, data={"source": "shapes", "image_size": 64}, **network)
    out = dcp.export(run, "onnx", tmp_path / "out")
    x = base.Subject.of(Run.open(run)).images(5)
    pixels = x * torch.tensor([0.229, 0.224, 0.225])[:, None, None] + torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    wanted = dcp.load_encoder(run)(x)
    for count in (1, 5):
        found = in_readme(out, pixels=pixels[:count].numpy())["features"]
        assert np.abs(found - wanted[:count].numpy()).max() < 1e-4 * max(1.0, float(wanted.abs().max()))
    model = onnx.load(out / "model.onnx")
    about = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(about["dcp.preprocessing"])["mean"] == [0.485, 0.456, 0.406]
    assert json.loads(about["dcp.recipe"])["network"]["backbone"] == {**RESNET, **network}["backbone"]
    assert model.opset_import[0].version == 18


WRONG = {
    "timm, narrow": ("timm", {"width": 8}, "network.width is 8"),
    "timm, a small stem": ("timm", {"stem": "small"}, 'network.stem = "small"'),
    "timm, group norm": ("timm", {"norm": "group"}, 'network.norm = "group"'),
    "timm, a model of torchvision's": ("timm", {"backbone": "torchvision/squeezenet1_1"}, "no model of this name"),
    "torchvision, narrow": ("torchvision", {"width": 8}, "network.width is 8"),
    "torchvision, group norm": ("torchvision", {"norm": "group"}, 'network.norm = "group"'),
    "torchvision, a model of timm's": ("torchvision", {"backbone": "timm/vit_tiny_patch16_224"}, "model of timm's"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_a_format_would_make_another_network_of_is_refused_in_one_sentence(
    tmp_path: Path, dcp: Callable, name: str
) -> None:
    form, network, expected = WRONG[name]
    run = made(tmp_path / "runs", **network)
    said = dcp("export", run, "--to", form, "--out", tmp_path / "out")
    assert said.code == 2
    assert "error[cannot-export]" in said.err
    assert expected in said.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "slug"),
    [
        (["--to", "tim", "--out", "out"], "unknown-name"),
        (["--to", "timm", "--out", "full"], "file-exists"),
        (["--to", "timm", "--out", "file"], "file-exists"),
        (["--to", "timm", "--out", "file/out"], "bad-folder"),
        (["--to", "timm"], "bad-option"),
        (["--out", "out"], "bad-option"),
        (["--to", "timm", "--out", "out", "--push", "name"], "bad-option"),
        (["--to", "timm", "--out", "out", "--push", "a/b/c"], "bad-option"),
        (["--to", "timm", "--out", "out", "--push", "ada/net"], "no-token"),
    ],
)
def test_a_wrong_request_is_one_message_and_nothing_is_written(
    trained: Path, here: Path, monkeypatch: pytest.MonkeyPatch, dcp: Callable, words: list[str], slug: str
) -> None:
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    Path("full").mkdir()
    Path("full/a.txt").write_text("mine")
    Path("file").write_text("mine")
    said = dcp("export", trained, *words)
    assert said.code == 2, said.err
    assert said.err.count("error[") == 1
    assert f"error[{slug}]" in said.err
    assert sorted(path.name for path in here.iterdir()) == ["file", "full"]
    assert Path("full/a.txt").read_text() == "mine"


def test_a_run_without_encoder_and_missing_packages_are_refused(
    trained: Path, tmp_path: Path, build: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RequestError) as error:
        dcp.export(build().path, "timm", tmp_path / "out")
    assert error.value.slug == "no-encoder"
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(RequestError, match=r"pip install 'dcp\[export\]'"):
        dcp.export(trained, "onnx", tmp_path / "out")
    with pytest.raises(RequestError, match=r"pip install 'dcp\[hub\]'"):
        hub.check("ada/net")


def test_what_loads_as_another_network_is_never_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made(tmp_path / "runs")
    monkeypatch.setattr(base, "difference", lambda *_: 0.1)
    monkeypatch.setattr("dcp.exporting.formats.timm.difference", lambda *_: 0.1)
    with pytest.raises(RunError, match=r"off by 1\.0e-01") as error:
        dcp.export(run, "timm", tmp_path / "out")
    assert error.value.slug == "export-differs"
    assert not (tmp_path / "out").exists()


def test_a_link_to_an_empty_folder_is_filled_and_stays_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dcp: Callable
) -> None:
    made(tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    Path("disk").mkdir()
    Path("link").symlink_to("disk")
    said = dcp("export", "made", "--to", "timm", "--out", "link", "--json")
    assert said.code == 0, said.err
    told = json.loads(said.out.splitlines()[-1])
    assert told["run"] == "runs/made-s0", "the run that a name without a seed means"
    assert sorted(told["files"]) == sorted(path.name for path in Path("disk").iterdir())
    assert Path("link").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "link", "runs"]
    Path("gone").symlink_to("nowhere")
    for full in ("link", "gone"):
        said = dcp("export", "made", "--to", "timm", "--out", full)
        assert said.code == 2
        assert "error[file-exists]" in said.err


def test_an_empty_current_folder_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dcp: Callable
) -> None:
    run = made(tmp_path / "runs")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    monkeypatch.chdir(tmp_path / "empty")
    for out in (".", "../empty", "../link"):
        said = dcp("export", run, "--to", "timm", "--out", out)
        assert said.code == 2
        assert "error[bad-folder]" in said.err
        assert "this is the current folder" in said.err
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(("out", "slug"), [("", "bad-value"), (3, "bad-type"), (None, "bad-type")])
def test_in_python_too_the_folder_must_be_a_path(tmp_path: Path, out: Any, slug: str) -> None:
    with pytest.raises(RequestError) as error:
        dcp.export(made(tmp_path / "runs"), "timm", out)
    assert (error.value.slug, error.value.where) == (slug, "out")


class Api:
    """In place of the Hub."""

    calls: list[tuple[str, Any]] = []  # noqa: RUF012
    wrong = ""

    def create_repo(self, repository: str, *, exist_ok: bool) -> str:
        self.calls.append(("create", repository))
        if self.wrong:
            raise OSError(self.wrong)
        return f"https://huggingface.co/{repository}"

    def upload_folder(self, *, folder_path: str, repo_id: str, commit_message: str) -> None:
        self.calls.append(("upload", sorted(path.name for path in Path(folder_path).iterdir())))


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> type[Api]:
    fake = SimpleNamespace(HfApi=Api, get_token=lambda: "hf_secret")
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    monkeypatch.setattr(extras, "find_spec", lambda name: True)
    Api.calls, Api.wrong = [], ""
    return Api


def test_it_is_pushed_when_asked_to_and_only_then(tmp_path: Path, api: type[Api], dcp: Callable) -> None:
    run = made(tmp_path / "runs")
    assert dcp("export", run, "--to", "timm", "--out", tmp_path / "a").code == 0
    assert api.calls == []
    said = dcp("export", run, "--to", "timm", "--out", tmp_path / "b", "--push", "ada/net", "--json")
    assert said.code == 0
    files = ["README.md", "config.json", "model.safetensors", "recipe.toml"]
    assert api.calls == [("create", "ada/net"), ("upload", files)]
    assert json.loads(said.out.splitlines()[-1])["url"] == "https://huggingface.co/ada/net"
    assert "hf-hub:ada/net" in (tmp_path / "b/README.md").read_text()
    assert "local-dir" not in (tmp_path / "b/README.md").read_text()
    api.wrong = "401 Client Error"
    said = dcp("export", run, "--to", "torchvision", "--out", tmp_path / "c", "--push", "ada/net")
    assert said.code == 1
    assert "error[push-failed]: not pushed: 401 Client Error" in said.err
    assert f"hf upload ada/net {tmp_path / 'c'} ." in said.err
    assert (tmp_path / "c/model.safetensors").exists()
    assert 'hf_hub_download("ada/net", "model.safetensors")' in (tmp_path / "c/README.md").read_text()


def test_the_front_matter_is_yaml_and_the_licence_is_said_or_unknown(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    out = dcp.export(made(tmp_path), "timm", tmp_path / "out")
    card = (out / "README.md").read_text()
    front = yaml.safe_load(card.split("---")[1])
    assert front["library_name"] == "timm"
    assert front["license"] == "unknown"
    assert {"timm", "dcp", "directcopy"} <= set(front["tags"])
    assert "Of the weights: unknown" in card
    assert "Apache-2.0" in card
    assert "The run has not been probed." in card


def test_two_exports_have_the_same_bytes(tmp_path: Path) -> None:
    run = made(tmp_path / "runs")
    one, two = (dcp.export(run, "torchvision", tmp_path / name / "out") for name in "ab")
    for path in one.iterdir():
        same = path.read_bytes().replace(b"/a/out", b"/b/out") == (two / path.name).read_bytes()
        assert same, path.name


@pytest.mark.parametrize("form", ["timm", "torchvision", "onnx"])
def test_an_encoder_that_is_not_finite_is_not_exported(tmp_path: Path, dcp: Callable, form: str) -> None:
    if form == "onnx":
        pytest.importorskip("onnxscript")
    run = rescaled(made(tmp_path / "runs"), float("nan"))
    said = dcp("export", run, "--to", form, "--out", tmp_path / "out")
    assert said.code == 2
    assert "error[bad-checkpoint]: the weights are not finite: layer4.1.bn2.weight" in " ".join(said.err.split())
    assert not (tmp_path / "out").exists()


def test_an_encoder_whose_features_overflow_is_not_exported(tmp_path: Path, dcp: Callable) -> None:
    said = dcp("export", rescaled(made(tmp_path / "runs"), 3e38), "--to", "timm", "--out", tmp_path / "out")
    assert said.code == 1
    assert "error[bad-features]" in said.err
    assert not (tmp_path / "out").exists()


def test_who_asked_for_onnx_is_not_told_to_ask_for_onnx(tmp_path: Path) -> None:
    subject = base.Subject.of(Run.open(made(tmp_path)))
    for form, there in (("ONNX", False), ("timm", True)):
        with pytest.raises(RunError) as error:
            base.check(form, 1.0, 1e-4, subject)
        assert ("--to onnx" in error.value.hint) is there
