"""Probes by layer: which layers there are, that each gives what its module gives, and what is said and shown."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from dcp.comparison.compare import compare
from dcp.data.views import apply
from dcp.errors import RequestError
from dcp.method import backbones, networks
from dcp.probing import layers
from dcp.probing.evaluations import linear
from dcp.probing.features import kept, projectors
from dcp.probing.probe import loaded, probe
from dcp.recipe.recipe import Recipe
from dcp.report.summary_page import summary_page
from dcp.runs import encoder
from dcp.runs.run import Run
from dcp.training.pretrain import pretrain
from dcp.training.request import Request
from dcp.training.trainer import Trainer

ALL = ["layer1", "layer2", "layer3", "layer4", "features", "projector.0", "projector.1"]
TINY = ("train.epochs=1", "data.images=96", "data.test_images=48", "probe.after=[]", "probe.linear.l2=[0.1]")


def trained(folder: Path, *sets: str) -> Run:
    return pretrain(Recipe.read("tiny/directcopy", (*TINY, *sets)), Request(folder, device="cpu"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return trained(tmp_path_factory.mktemp("runs"), 'probe.layers="all"')


def test_every_layer_of_a_run_has_both_classifiers_and_both_before_training(run: Run) -> None:
    found = run.probes()["layers"]
    names = {f"{layer}.{classifier}" for layer in ALL for classifier in ("knn", "linear")}
    assert set(found.score) == set(found.random_encoder.score) == names
    assert (found.extra["layers"], found.n, found.interval) == (ALL, 48, {})
    assert found.extra["widths"] == dict(zip(ALL, (8, 16, 32, 64, 64, 32, 16), strict=True))


def test_the_features_score_as_the_evaluations_themselves_do(run: Run) -> None:
    probe(run, ("knn", "linear"))
    found = run.probes()
    for name in ("knn", "linear"):
        for of in (lambda each: each, lambda each: each.random_encoder):
            assert of(found["layers"]).score[f"features.{name}"] == of(found[name]).score["top1"]


def test_a_layer_scores_as_its_module_does_when_it_is_called_by_hand(run: Run) -> None:
    recipe = Recipe.check(run.recipe(), "recipe.toml")
    net, (head, _) = encoder.load(run).backbone, projectors(recipe, kept(run))
    x, y = {}, {}
    for split, data in loaded(recipe).items():
        pixels = apply.normalize(data.images, recipe.views)
        with torch.no_grad():
            stem = net.maxpool(net.relu(net.bn1(net.conv1(pixels))))
            maps = net.layer2(net.layer1(stem))
            h = net.avgpool(net.layer4(net.layer3(maps))).flatten(1)
            x[split] = {
                "layer2": maps.mean((2, 3)),
                "projector.0": head[2](head[1](head[0](h))),
                "projector.1": head(h),
            }
        y[split] = data.labels
    score = run.probes()["layers"].score
    for layer in ("layer2", "projector.0", "projector.1"):
        train, test = linear.standardise(x["train"][layer], x["test"][layer])
        # mean loss + λ/2 |A|² is sum of losses + |A|²/(2C) with C = 1/(λ N)
        fitted = LogisticRegression(C=1 / (0.1 * len(train)), max_iter=5000, tol=1e-8)
        right = fitted.fit(train.double().numpy(), y["train"].numpy()).predict(test.double().numpy())
        assert np.mean(right == y["test"].numpy()) == pytest.approx(score[f"{layer}.linear"], abs=1.5 / 48), layer


def test_a_finished_run_is_probed_at_the_layers_that_are_named(run: Run, tmp_path: Path) -> None:
    with pytest.raises(RequestError) as caught:
        probe(run, ("knn",), sets=('probe.layers=["layer2", "projektor.0"]',))
    assert caught.value.slug == "unknown-name"
    assert f'known: {", ".join(ALL)}; or "all". Did you mean projector.0?' in str(caught.value)
    written = probe(run, ("knn",), sets=('probe.layers=["projector.1", "layer2"]',))
    assert [*written] == ["knn", "layers"]
    assert written["layers"]["extra"]["layers"] == ("layer2", "projector.1")
    assert len(probe(run, ("layers",))["layers"]["score"]) == 2 * len(ALL)


def test_layers_that_there_are_not_are_refused_before_training(tmp_path: Path) -> None:
    recipe = Recipe.read("tiny/directcopy", (*TINY, 'probe.layers=["layer5"]'))
    with pytest.raises(RequestError, match='there is no layer "layer5"'):
        Trainer(recipe, Request(tmp_path, device="cpu"))
    assert not [*tmp_path.iterdir()]


def test_without_a_checkpoint_the_projector_is_left_out_of_all_and_refused_by_name(tmp_path: Path) -> None:
    run, said = trained(tmp_path), list[str]()
    (run.path / "checkpoint/state.safetensors").unlink()
    probe(run, ("layers",), say=said.append)
    assert said == [layers.GONE]
    assert run.probes()["layers"].extra["layers"] == ALL[:5]
    with pytest.raises(RequestError, match=r"no-projector.*no checkpoint"):
        probe(run, ("layers",), sets=('probe.layers=["projector.0"]',))


def test_the_summary_has_a_row_a_layer_from_the_input_on(run: Run) -> None:
    probe(run, ("layers",))
    (grid,) = [block for block in summary_page(run).content() if "by layer" in block.title]
    ((_, rows),) = grid.groups
    assert [row[0] for row in rows] == ALL
    score = run.probes()["layers"].score
    assert [row[2] for row in rows] == [f"{100 * score[f'{layer}.linear']:.2f}" for layer in ALL]


def test_a_comparison_shows_layers_in_order_and_judges_by_none(run: Run, tmp_path: Path) -> None:
    other = trained(tmp_path, 'probe.layers=["layer4", "projector.1"]', "run.name=other")
    probe(run, ("layers",))
    rows = [row for row in compare([run, other]).scores if row.evaluation == "layers"]
    assert list(dict.fromkeys(row.score.rpartition(".")[0] for row in rows)) == ALL
    assert {row.role for row in rows} == {"descriptive"}
    assert {difference.verdict for row in rows for difference in row.differences} == {"undecided"}
    of_both = [row for row in rows if row.score.startswith(("layer4", "projector.1"))]
    assert [row.differences[0].why for row in of_both if row.differences[0].value is None] == []


NAMES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("resnet18", {"width": 8, "stem": "small"}, ["layer1", "layer2", "layer3", "layer4"]),
    ("timm/vit_tiny_patch16_224", {}, [f"blocks.{i}" for i in range(12)]),
    ("timm/convnext_atto", {}, [f"stages.{i}" for i in range(4)]),
    ("torchvision/shufflenet_v2_x0_5", {}, ["conv1", "stage2", "stage3", "stage4", "conv5"]),
    ("torchvision/mobilenet_v3_small", {}, [f"features.{i}" for i in range(13)]),
]


@pytest.mark.parametrize(("name", "options", "expected"), NAMES, ids=[name for name, _, _ in NAMES])
def test_blocks_are_those_that_people_call_so_and_each_gives_a_vector(
    name: str, options: dict[str, Any], expected: list[str]
) -> None:
    net, features = backbones.backbone(
        name, **{"stem": "imagenet", "width": 64, **options}, norm="batch", image_size=32
    )
    assert layers.blocks(net) == expected
    recipe = Recipe.read("tiny/directcopy")
    by_layer = layers.ByLayer(encoder.Encoder(net, 32, recipe.views), None)
    assert by_layer.names() == (*expected, "features")
    assert by_layer(torch.zeros(3, 3, 32, 32)).shape == (3, sum(by_layer.widths.values()))
    assert by_layer.widths["features"] == features


@pytest.mark.parametrize(("norm", "out_norm"), [("batch", False), ("batch", True), ("none", False), ("layer", True)])
def test_a_layer_of_the_projector_ends_before_the_next_linear_one(norm: str, out_norm: bool) -> None:
    head = networks.projector(6, hidden=5, out=4, layers=3, norm=norm, affine=True, out_norm=out_norm)
    assert layers.ends(head) == ["2", "5", "7" if out_norm else "6"]
    assert isinstance(head[2], nn.ReLU)


def test_no_hook_is_left_behind(run: Run) -> None:
    net = encoder.load(run)
    layers.ByLayer(net, None).names()
    assert [name for name, part in net.named_modules() if part._forward_hooks] == []
