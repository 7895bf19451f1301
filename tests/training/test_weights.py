"""network.weights: training that starts from a run, a file, an exported folder, or a library's weights."""

import hashlib
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import dcp as package
from dcp.errors import RequestError
from dcp.method import weights
from dcp.recipe import build
from dcp.recipe.recipe import Recipe
from dcp.runs import starting
from dcp.runs.run import Run

QUIET = ("probe.after=[]", "train.epochs=1")
WIDE = ("network.width=64", "network.stem=imagenet", "data.image_size=32")


def recipe(*sets: str) -> Recipe:
    return Recipe.read("tiny/directcopy", sets)


def refused(*sets: str, runs: Path = Path("runs")) -> RequestError:
    with pytest.raises(RequestError) as caught:
        starting.find(recipe(*sets), runs)
    return caught.value


@pytest.fixture
def encoder(trained: Path) -> Path:
    return trained / "encoder.safetensors"


@pytest.fixture(scope="session")
def onward(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that goes on from `trained`, with probes."""
    sets = (f"network.weights='{trained}'", "run.name=onward", "predictor.name=linear")
    return package.pretrain("tiny/directcopy", sets=sets, runs=tmp_path_factory.mktemp("onward"))


def test_a_run_starts_from_the_bytes_of_the_encoder_of_another(trained: Path, encoder: Path, onward: Path) -> None:
    assert (onward / "start.safetensors").read_bytes() == encoder.read_bytes()
    noted = json.loads((onward / "run.json").read_text())["weights"]
    assert noted["source"] == str(trained)
    assert noted["kind"] == "run"
    assert noted["left_out"] == []
    assert noted["sha256"] == hashlib.sha256(encoder.read_bytes()).hexdigest()
    assert "weights" not in json.loads((trained / "run.json").read_text())


def test_its_probes_stand_beside_the_scores_of_the_run_that_it_started_from(trained: Path, onward: Path) -> None:
    for evaluation in ("knn", "linear"):
        before, after = (json.loads((run / f"probes/{evaluation}.json").read_text()) for run in (trained, onward))
        assert after["random_encoder"]["score"] == before["score"]
        assert after["random_encoder"]["what"] == "before training"
        assert before["random_encoder"]["what"] == "untrained"


def test_backbone_and_target_start_from_the_weights_and_the_projector_as_without_them(encoder: Path) -> None:
    given = recipe(f"network.weights='{encoder}'", "target.name=ema")
    start = starting.find(given, Path("runs"))
    assert start is not None
    method, fresh = build.method(given, start=start.tensors), build.method(recipe("target.name=ema"))
    for name, value in load_file(encoder).items():
        assert torch.equal(method.online.backbone.state_dict()[name], value)
        (copied,) = [other for key, other in method.target.state_dict().items() if key.endswith(f"backbone.{name}")]
        assert torch.equal(copied, value)
    for name, value in fresh.online.projector.state_dict().items():
        assert torch.equal(method.online.projector.state_dict()[name], value)
    assert any("projector starts anew" in remark for remark in start.remarks)


def test_without_the_source_a_run_resumes_to_the_same_bytes_and_is_probed(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.safetensors").write_bytes(encoder.read_bytes())
    sets = ("network.weights=mine.safetensors", "train.save_every=3", "probe.after=[]")
    whole = package.pretrain("tiny/directcopy", sets=(*sets, "run.name=whole"), runs=tmp_path)
    started = json.loads((whole / "run.json").read_text())
    assert started["weights"]["kind"] == "file"
    Path("mine.safetensors").unlink()

    for name, keeps in (("from_its_start", False), ("from_its_checkpoint", True)):
        stopped = tmp_path / f"{name}-s0"
        stopped.mkdir()
        for file in ("recipe.toml", "run.json", "start.safetensors"):
            text = (whole / file).read_bytes()
            (stopped / file).write_bytes(text.replace(b"whole", name.encode()) if "safe" not in file else text)
        record = json.loads((stopped / "run.json").read_text())
        (stopped / "run.json").write_text(json.dumps({**record, "status": "interrupted"}))
        if keeps:
            (stopped / "checkpoint").mkdir()
            (stopped / "checkpoint/state.safetensors").write_bytes(
                (whole / "checkpoint/state.safetensors").read_bytes()
            )
        sets_again = (*sets, f"run.name={name}")
        again = package.pretrain("tiny/directcopy", sets=sets_again, runs=tmp_path, resume=True)
        ours, theirs = (load_file(run / "encoder.safetensors") for run in (again, whole))
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert package.probe(whole, ["knn"])["knn"]["random_encoder"]["what"] == "before training"


def test_resuming_with_other_weights_is_refused_as_other_keys_are(encoder: Path, onward: Path, dcp: Callable) -> None:
    words = ("pretrain", onward / "recipe.toml", "--runs", onward.parent, "--resume")
    said = dcp(*words, f"network.weights='{encoder}'")
    assert said.code == 2
    assert "recipe-differs" in said.err
    assert "network.weights" in said.err
    assert dcp(*words, "network.weights=''").code == 2
    assert dcp(*words).code == 0


def test_a_run_of_an_older_recipe_without_the_key_resumes(trained: Path, tmp_path: Path, dcp: Callable) -> None:
    folder = tmp_path / trained.name
    folder.mkdir()
    text = (trained / "recipe.toml").read_text()
    assert 'weights = ""\n' in text
    (folder / "recipe.toml").write_text(text.replace('weights = ""\n', ""))
    (folder / "run.json").write_bytes((trained / "run.json").read_bytes())
    for name in ("encoder.safetensors",):
        (folder / name).write_bytes((trained / name).read_bytes())
    said = dcp("pretrain", folder / "recipe.toml", "--runs", tmp_path, "--resume", "--quiet")
    assert said.code == 0, said.err


@pytest.mark.parametrize("damage", ["missing", "changed", "another"])
def test_a_start_that_is_no_longer_the_runs_is_told(damage: str, onward: Path, tmp_path: Path) -> None:
    run = tmp_path / onward.name
    run.mkdir()
    for name in ("recipe.toml", "run.json", "encoder.safetensors"):
        (run / name).write_bytes((onward / name).read_bytes())
    data = (onward / "start.safetensors").read_bytes()
    if damage == "changed":
        (run / "start.safetensors").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    if damage == "another":
        (run / "start.safetensors").write_bytes((onward / "encoder.safetensors").read_bytes())
    with pytest.raises(RequestError) as caught:
        package.probe(run, ["knn"])
    assert caught.value.slug == "bad-checkpoint"
    assert caught.value.where == str(run / "start.safetensors")
    assert "--resume" not in caught.value.hint


def test_a_name_means_a_path_then_the_run_of_the_same_seed_then_the_only_one(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for seed in (0, 3):
        (tmp_path / f"runs/A-s{seed}").mkdir(parents=True)
        for name in ("recipe.toml", "run.json", "encoder.safetensors"):
            (tmp_path / f"runs/A-s{seed}/{name}").write_bytes((trained / name).read_bytes())
    runs = Path("runs")

    def source(word: str, seed: int) -> str:
        start = starting.find(recipe(f"network.weights='{word}'").with_seed(seed), runs)
        assert start is not None
        return str(Path(start.facts["source"]).relative_to(tmp_path))

    assert source("A", 0) == "runs/A-s0"
    assert source("A", 3) == "runs/A-s3"
    assert source("A-s3", 0) == "runs/A-s3"
    assert source("runs/A", 3) == "runs/A-s3"
    said = refused("network.weights=A", "run.seed=1", runs=runs)
    assert "means 2 runs, and not one of them has seed 1" in str(said)
    (tmp_path / "A").mkdir()
    (tmp_path / "A/model.safetensors").write_bytes((trained / "encoder.safetensors").read_bytes())
    (tmp_path / "A/config.json").write_text('{"pretrained_cfg": {"license": "mit"}}')
    assert source("A", 0) == "A"
    start = starting.find(recipe("network.weights=A"), runs)
    assert start is not None
    assert start.facts["licence"] == "mit"
    assert any("is a path here, which is taken, and a run: runs/A-s0" in remark for remark in start.remarks)
    (tmp_path / "runs/timm-s0").mkdir()
    assert starting.place(recipe("network.weights=timm"), runs) == "timm"


def test_a_classifier_is_left_out_and_any_width_of_floats_is_taken(encoder: Path, tmp_path: Path) -> None:
    tensors = {name: value.half() if value.is_floating_point() else value for name, value in load_file(encoder).items()}
    tensors = {name: value for name, value in tensors.items() if "num_batches" not in name}  # as older files
    save_file({**tensors, "fc.weight": torch.ones(3, 4), "fc.bias": torch.ones(3)}, tmp_path / "a.safetensors")
    start = starting.find(recipe(f"network.weights='{tmp_path / 'a.safetensors'}'"), tmp_path)
    assert start is not None
    assert sorted(start.facts["left_out"]) == ["fc.bias", "fc.weight"]
    assert any("left out" in remark and "fc.weight" in remark for remark in start.remarks)
    assert start.tensors["conv1.weight"].dtype == torch.float32
    assert torch.equal(start.tensors["conv1.weight"], tensors["conv1.weight"].float())
    assert start.header["source"] == "a.safetensors"


def test_statistics_that_are_computed_are_compared_with_those_of_the_weights(
    trained: Path, tmp_path: Path, dcp: Callable
) -> None:
    words = (f"network.weights='{trained}'", "views.normalize=computed", "run.name=computed", *QUIET)
    ended = dcp("pretrain", "tiny/directcopy", *words, "--runs", tmp_path)
    assert ended.code == 0, ended.err
    mean, std = json.loads((tmp_path / "computed-s0/run.json").read_text())["data"]["mean_std"]
    here = f"{[round(value, 4) for value in mean]} and {[round(value, 4) for value in std]}"
    assert f"these weights are of images normalised by nothing, and here it is {here}" in ended.err + ended.out
    again = (f"network.weights='{tmp_path / 'computed-s0'}'", *words[1:2], "run.name=again", *QUIET)
    assert "normalised by nothing" not in dcp("pretrain", "tiny/directcopy", *again, "--runs", tmp_path).err
    start = starting.find(recipe(*again[:1]), tmp_path)
    assert start is not None
    assert start.remarks_beside((mean, std)) == start.remarks
    assert start.remarks_beside(None)[-1].endswith(f"normalised by {here}, and here it is nothing")


@pytest.mark.parametrize("header", ["half [", "5", '["a"]', f"[[{10**400}]]", "[" * 100_000])
def test_statistics_that_cannot_be_read_in_a_file_of_weights_are_none(
    encoder: Path, tmp_path: Path, header: str
) -> None:
    save_file(load_file(encoder), tmp_path / "a.safetensors", metadata={"mean_std": header})
    start = starting.find(recipe(f"network.weights='{tmp_path / 'a.safetensors'}'"), tmp_path)
    assert start is not None
    assert start.remarks_beside(((0.5,), (0.5,))) == start.remarks


def test_every_mismatch_is_named_at_once_with_the_nearest_names(encoder: Path, tmp_path: Path) -> None:
    tensors = load_file(encoder)
    tensors["conv1.weights"] = tensors.pop("conv1.weight")
    tensors["bn1.weight"] = torch.ones(3)
    save_file(tensors, tmp_path / "a.safetensors")
    said = refused(f"network.weights='{tmp_path / 'a.safetensors'}'")
    assert said.slug == "weights-differ"
    assert "1 missing, 1 unexpected, 1 of another shape" in said.message
    assert said.hint.splitlines()[:3] == [
        "bn1.weight: [3] there, [8] here",
        "missing conv1.weight (near: conv1.weights)",
        "unexpected conv1.weights (near: conv1.weight)",
    ]
    save_file({f"module.{name}": value for name, value in tensors.items()}, tmp_path / "b.safetensors")
    said = refused(f"network.weights='{tmp_path / 'b.safetensors'}'")
    assert said.hint.count("\nmissing") == 9
    assert "more\n" in said.hint
    assert "(near: module.bn1.weight)" in said.hint


def test_names_with_a_prefix_are_told_as_such(encoder: Path, tmp_path: Path) -> None:
    save_file({f"model.{name}": value for name, value in load_file(encoder).items()}, tmp_path / "a.safetensors")
    hint = refused(f"network.weights='{tmp_path / 'a.safetensors'}'").hint
    assert 'All of them are there under names that begin with "model."' in hint


@pytest.mark.parametrize(
    ("key", "value", "was"),
    [
        ("width", "16", "8"),
        ("norm", "group", "batch"),
        ("backbone", "resnet10", "resnet18"),
        ("stem", "small", "imagenet"),
    ],
)
def test_a_run_of_another_network_is_refused_by_the_keys_that_differ(
    key: str, value: str, was: str, encoder: Path
) -> None:
    said = refused(f"network.weights='{encoder}'", f"network.{key}={value}")
    assert said.slug == "weights-differ"
    assert f"network.{key}: {was} there, {value} here" in said.hint
    assert f"network.{key}={was}" in said.hint


def test_weights_that_are_not_finite_are_refused(encoder: Path, tmp_path: Path) -> None:
    tensors = load_file(encoder)
    tensors["conv1.weight"][0, 0, 0, 0] = torch.nan
    save_file(tensors, tmp_path / "a.safetensors")
    said = refused(f"network.weights='{tmp_path / 'a.safetensors'}'")
    assert (said.slug, said.message) == ("bad-checkpoint", "the weights are not finite: conv1.weight")


def test_negative_variances_are_refused(encoder: Path, tmp_path: Path) -> None:
    tensors = load_file(encoder)
    tensors["bn1.running_var"][0] = -1.0
    save_file(tensors, tmp_path / "a.safetensors")
    said = refused(f"network.weights='{tmp_path / 'a.safetensors'}'")
    assert (said.slug, said.message) == ("bad-checkpoint", "a variance is negative: bn1.running_var")


def test_weights_in_a_pipe_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "encoder.safetensors")
    with pytest.raises(RequestError, match="no regular file"):
        weights.read(tmp_path / "encoder.safetensors")


def bad(tmp_path: Path, encoder: Path) -> Iterator[tuple[str, str]]:
    """Ways to get the key wrong, and what is said of each."""
    yield "runs/nothing-s0", "no such path, and no such run"
    yield "nothing.safetensors", "no such path, and no such run"
    yield "~nobody-of-this-name/a.safetensors", "user who is not known here"
    yield "x" * 4000, "no such path"
    yield "a\\u0000b", "text without the character of code 0"
    (tmp_path / "empty").mkdir()
    yield f"{tmp_path}/empty", "has no model.safetensors"
    os.mkfifo(tmp_path / "pipe.safetensors")
    yield f"{tmp_path}/pipe.safetensors", "is a pipe, a socket or a device"
    (tmp_path / "a.pth").write_bytes(b"x")
    yield f"{tmp_path}/a.pth", "is no .safetensors file"
    (tmp_path / "cut.safetensors").write_bytes(encoder.read_bytes()[:5000])
    yield f"{tmp_path}/cut.safetensors", "cannot read the file"
    data = encoder.read_bytes()
    (tmp_path / "bit.safetensors").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    yield f"{tmp_path}/bit.safetensors", "something else than was written"
    (tmp_path / "pointer.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid x\n")
    yield f"{tmp_path}/pointer.safetensors", "Git LFS pointer"
    (tmp_path / "young-s0").mkdir()
    for name in ("recipe.toml", "run.json"):
        (tmp_path / "young-s0" / name).write_bytes((encoder.parent / name).read_bytes())
    yield f"{tmp_path}/young-s0", "no encoder to start from"
    yield f"{encoder.parent}/checkpoint/state.safetensors", "of another network"
    yield "torchvision", "of another network"  # a narrow ResNet; or there is no network here


def test_each_way_to_get_the_key_wrong_has_one_message_and_leaves_nothing(
    tmp_path: Path, encoder: Path, dcp: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torchvision.models.WeightsEnum.get_state_dict", torchvision_weights)
    monkeypatch.setattr("socket.getaddrinfo", lambda *a: [])
    for value, said in bad(tmp_path, encoder):
        words = ("pretrain", "tiny/directcopy", "--runs", tmp_path / "runs", f'network.weights="{value}"')
        result = dcp(*words, "--quiet")
        assert result.code == 2, value
        assert said in result.err, value
        assert result.err.count("error[") == 1
        assert dcp(*words, "--dry-run").code == 2, value
    assert not (tmp_path / "runs").exists()
    assert dcp("pretrain", "tiny/directcopy", "network.weights=3").code == 2


def torchvision_weights(*_: object, **__: object) -> dict[str, torch.Tensor]:
    import torchvision

    return dict(torchvision.models.resnet18().state_dict())


def test_torchvisions_weights_come_with_their_name_and_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    given = torchvision_weights()
    (tmp_path / "hub/checkpoints").mkdir(parents=True)
    torch.save(given, tmp_path / "hub/checkpoints/resnet18-f37072fd.pth")
    start = starting.find(recipe("network.weights=torchvision", *WIDE), tmp_path)
    assert start is not None
    assert torch.equal(start.tensors["layer4.1.conv2.weight"], given["layer4.1.conv2.weight"])
    assert start.facts["source"] == "ResNet18_Weights.IMAGENET1K_V1"
    assert start.facts["origin"] == "https://download.pytorch.org/models/resnet18-f37072fd.pth"
    assert start.facts["licence"] == "not stated"
    assert sorted(start.facts["left_out"]) == ["fc.bias", "fc.weight"]
    own = recipe().views.statistics()  # the tiny recipe's
    assert "normalised by" in start.remarks_beside(own)[-1]


def test_timms_weights_come_with_their_licence_from_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    given = torchvision_weights()
    snapshot = tmp_path / "models--timm--resnet18.a1_in1k/snapshots/1234"
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs/main").write_text("1234")
    save_file(given, snapshot / "model.safetensors")
    start = starting.find(recipe("network.weights=timm", *WIDE), tmp_path)
    assert start is not None
    assert torch.equal(start.tensors["layer4.1.conv2.weight"], given["layer4.1.conv2.weight"])
    assert start.facts["source"] == "resnet18.a1_in1k"
    assert start.facts["origin"] == "timm/resnet18.a1_in1k"
    assert start.facts["licence"] == "apache-2.0"
    assert start.facts["left_out"] == ["fc.*"]


def test_timm_fits_position_embeddings_to_the_views(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import timm

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    snapshot = tmp_path / "models--timm--test_vit.r160_in1k/snapshots/1234"
    snapshot.mkdir(parents=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs/main").write_text("1234")
    given = timm.create_model("test_vit").state_dict()
    save_file(given, snapshot / "model.safetensors")
    of_a_vit = ("network.backbone=test_vit", "network.width=64", "data.image_size=64")
    start = starting.find(recipe("network.weights=timm", *of_a_vit), tmp_path)
    assert start is not None
    assert start.tensors["pos_embed"].shape[1] < given["pos_embed"].shape[1]
    assert torch.equal(start.tensors["blocks.0.attn.qkv.weight"], given["blocks.0.attn.qkv.weight"])
    said = refused(f"network.weights='{snapshot / 'model.safetensors'}'", *of_a_vit)
    assert "pos_embed: [1, 101, 64] there, [1, 17, 64] here" in said.hint


@pytest.mark.parametrize(
    ("library", "fetch", "place"),
    [
        ("timm", "https://huggingface.co/timm/resnet18.a1_in1k/resolve/main/model.safetensors", "hf-cache"),
        ("torchvision", "https://download.pytorch.org/models/resnet18-f37072fd.pth", "torch/hub/checkpoints/resnet18"),
    ],
)
def test_without_a_network_one_message_says_what_to_fetch_and_where_to_put_it(
    library: str, fetch: str, place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def no_network(*_: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", no_network)
    monkeypatch.setattr("dcp.method.pretrained.getproxies", dict)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf-cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    said = refused(f"network.weights={library}", *WIDE)
    assert said.slug == "no-weights"
    assert "there is no network here, and they are not in the cache" in said.message
    assert fetch in said.hint
    assert str(tmp_path / place) in said.hint


@pytest.mark.parametrize(
    ("library", "backbone", "said"),
    [
        ("timm", "torchvision/resnet18", "is no model of timm"),
        ("torchvision", "timm/resnet18", "is no model of torchvision"),
        ("torchvision", "vit_tiny_patch16_224", "is no model of torchvision"),
        ("timm", "resnet10", "timm has no pretrained weights for resnet10"),
        ("timm", "timm/test_byobnet.nothing", "timm has no pretrained weights"),
    ],
)
def test_a_library_without_weights_for_the_backbone_says_so(library: str, backbone: str, said: str) -> None:
    from dcp.method import pretrained

    with pytest.raises(RequestError, match=said) as caught:
        pretrained.load(library, backbone, 32)
    assert caught.value.slug == "no-weights"


def test_a_dry_run_tells_the_weights(encoder: Path, tmp_path: Path, dcp: Callable) -> None:
    words = ("pretrain", "tiny/directcopy", f"network.weights='{encoder}'", "--runs", tmp_path, "--dry-run", "--json")
    said = dcp(*words)
    assert said.code == 0
    told = json.loads(said.out.splitlines()[-1])
    assert told["weights"]["source"] == str(encoder)
    assert any("starts from file" in remark for remark in told["remarks"])


def test_the_licence_stays_with_what_is_trained_from_the_weights(encoder: Path, tmp_path: Path) -> None:
    save_file(load_file(encoder), tmp_path / "a.safetensors", metadata={"licence": "cc-by-nc-4.0"})
    sets = (f"network.weights='{tmp_path / 'a.safetensors'}'", *QUIET)
    package.pretrain("tiny/directcopy", sets=(*sets, "run.name=first"), runs=tmp_path)
    sets = ("network.weights=first", *QUIET, "run.name=second")
    second = package.pretrain("tiny/directcopy", sets=sets, runs=tmp_path)
    assert Run.open(second).record.weights["licence"] == "cc-by-nc-4.0"
    assert starting.find(recipe(f"network.weights='{second / 'encoder.safetensors'}'"), tmp_path).facts["licence"] == (
        "cc-by-nc-4.0"
    )


def test_a_study_has_an_axis_over_weights(trained: Path, tmp_path: Path, dcp: Callable) -> None:
    path = tmp_path / "study.toml"
    path.write_text(
        'extends = "tiny/directcopy"\n[train]\nepochs = 1\n[probe]\nafter = ["knn"]\n'
        f"[study]\nseeds = \"0\"\n[study.axes]\nnetwork.weights = ['', '{trained}']\n"
    )
    said = dcp("pretrain", path, "--runs", tmp_path / "runs", "--json")
    assert said.code == 0, said.err
    (without, given) = sorted((tmp_path / "runs").glob("study-*-s0"), key=lambda run: "no-weights" not in run.name)
    assert without.name == "study-no-weights-s0"
    assert not (without / "start.safetensors").exists()
    assert (given / "start.safetensors").read_bytes() == (trained / "encoder.safetensors").read_bytes()
    said = dcp("pretrain", path, "network.width=16", "--runs", tmp_path / "other")
    assert said.code == 2
    assert "weights-differ" in said.err
    assert not (tmp_path / "other").exists()
    text = path.read_text().replace(str(trained), str(tmp_path / "nothing"))
    path.write_text(text)
    said = dcp("pretrain", path, "--runs", tmp_path / "other")
    assert said.code == 2
    assert "no-weights" in said.err
    assert not (tmp_path / "other").exists()
