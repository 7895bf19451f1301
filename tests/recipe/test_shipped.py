"""The recipes that ship: all are there, all are right, and each holds the settings of its paper."""

import re
from itertools import product
from typing import Any

import pytest

from dcp.data.sampler import Plan
from dcp.recipe import layers, shipped
from dcp.recipe.recipe import Recipe

SETS = ("cifar10", "cifar100", "stl10", "imagenette")
METHODS = ("directcopy", "directpred", "directpred_every5", "linear", "byol", "simsiam", "identity")
SMALL = [f"{data}_{method}" for data, method in product(SETS, METHODS)]
CATALOGUE = [name for name in shipped.names() if name.startswith("cifar10_") and name not in SMALL]
TINY = [name for name in shipped.names() if name.startswith("tiny/")]

# Tian, Chen, Ganguli 2021, arXiv:2102.06810, appendix C, and the official release
TRAINING = {
    "optimizer.name": "sgd",
    "optimizer.lr": 0.03,
    "optimizer.momentum": 0.9,
    "optimizer.weight_decay": 4e-4,
    "optimizer.exclude": "none",
    "optimizer.schedule": "constant",
    "optimizer.warmup_epochs": 0,
    "train.batch": 128,
    "objective.name": "cosine",
    "objective.scale": 1,
    "network.backbone": "resnet18",
    "network.width": 64,
    "network.norm": "batch",
    "network.projector.hidden": 512,
    "network.projector.out": 128,
    "network.projector.layers": 2,
    "network.projector.norm": "batch",
    "network.projector.affine": False,
    "network.projector.out_norm": False,
    "views.crop_scale": (0.08, 1.0),
    "views.crop_ratio": (0.75, 4 / 3),
    "views.flip": 0.5,
    "views.jitter_p": 0.8,
    "views.grayscale": 0.2,
    "views.solarize": 0.0,
    "moments.start": "first",
    "moments.timing": "stale",
    "moments.source": "pooled",
    "moments.zero_mean": False,
    "train.join_views": False,
}
EMA = {"target.name": "ema", "target.tau": 0.996, "target.schedule": "constant"}
CIFAR = {
    "network.stem": "small",
    "views.jitter": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1},
    "views.blur.p": 0.0,
    "views.normalize": "cifar10",
    "train.epochs": 100,
}
STL10 = {
    "network.stem": "imagenet",
    "views.jitter": {"brightness": 0.8, "contrast": 0.8, "saturation": 0.8, "hue": 0.2},
    "views.blur.p": 1.0,
    "views.blur.sigma": (0.1, 2.0),
    "views.normalize": "none",
}
OF_DATA: dict[str, dict[str, Any]] = {
    "cifar10": {**CIFAR, "data.source": "cifar10"},
    "cifar100": {**CIFAR, "data.source": "cifar100"},
    "stl10": {**STL10, "data.source": "stl10", "train.epochs": 100, "views.blur.kernel": 9},
    # no paper: our choice
    "imagenette": {
        **STL10,
        "data.source": "imagenette",
        "data.size": "160px",
        "data.image_size": 128,
        "train.epochs": 800,
        "views.blur.kernel": 13,
    },
}
MLP = {"predictor.name": "mlp", "predictor.hidden": 512, "predictor.norm": "batch", "predictor.affine": False}
DIRECTPRED = {
    "predictor.name": "directpred",
    "predictor.eps": 0.1,
    "predictor.eps_place": "outside",
    "predictor.norm": "spectral",
    "moments.rho": 0.3,
}
OF_METHOD: dict[str, dict[str, Any]] = {
    "directcopy": {
        **EMA,
        "predictor.name": "directcopy",
        "predictor.eps": 0.3,
        "predictor.norm": "spectral",
        "predictor.every": 1,
        "moments.rho": 0.5,
    },
    "directpred": {**EMA, **DIRECTPRED, "predictor.every": 1},
    "directpred_every5": {**EMA, **DIRECTPRED, "predictor.every": 5, "predictor.lr_factor": 1},
    "linear": {**EMA, "predictor.name": "linear", "predictor.bias": False, "predictor.lr_factor": 1},
    "byol": {**EMA, **MLP},
    "simsiam": {"target.name": "online", **MLP},
    "identity": {**EMA, "predictor.name": "identity"},
}
# BYOL's presets for 100 epochs (official release); DirectCopy's own ImageNet settings are not known
IMAGENET = {
    "data.source": "imagenet",
    "data.image_size": 224,
    "network.backbone": "resnet50",
    "network.stem": "imagenet",
    "network.sync_norm": True,
    "network.projector.hidden": 4096,
    "network.projector.out": 256,
    "network.projector.affine": True,
    "optimizer.name": "lars",
    "optimizer.lr": 0.45,
    "optimizer.lr_batch": 256,
    "optimizer.momentum": 0.9,
    "optimizer.weight_decay": 1e-6,
    "optimizer.exclude": "norm_and_bias",
    "optimizer.eta": 1e-3,
    "optimizer.schedule": "cosine",
    "optimizer.warmup_epochs": 10,
    "train.epochs": 100,
    "train.batch": 4096,
    "target.name": "ema",
    "target.tau": 0.99,
    "target.schedule": "cosine",
    "views.jitter": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.2, "hue": 0.1},
    "views.jitter_p": 0.8,
    "views.grayscale": 0.2,
    "views.blur.p": (1.0, 0.1),
    "views.blur.sigma": (0.1, 2.0),
    "views.solarize": (0.0, 0.2),
    "views.solarize_threshold": 0.5,
    "predictor.name": "directcopy",
    "predictor.eps": 0.3,
    "moments.rho": 0.5,
}


def at(recipe: Recipe, key: str) -> Any:
    here: Any = recipe.table()
    for part in key.split("."):
        here = here[part]
    return here


def comment(name: str) -> str:
    return (shipped.folder() / f"{name}.toml").read_text(encoding="utf-8").partition("\n")[0]


def test_these_recipes_ship_and_no_others() -> None:
    found = set(shipped.names()) - {"quickstart"}
    assert {*SMALL, "imagenet_directcopy"} <= found


@pytest.mark.parametrize("name", shipped.names())
def test_a_shipped_recipe_is_right_and_its_run_is_named_after_it(name: str) -> None:
    assert Recipe.read(name).run.name == name.rpartition("/")[2]


@pytest.mark.parametrize("name", shipped.names())
def test_the_first_line_says_in_one_sentence_what_the_recipe_is(name: str) -> None:
    first = comment(name)
    assert first.startswith("# ")
    assert first.endswith(".")
    assert 30 < len(first) <= 120


def test_no_two_recipes_say_the_same_of_themselves() -> None:
    said = [comment(name) for name in shipped.names()]
    assert len(set(said)) == len(said)


@pytest.mark.parametrize("name", SMALL)
def test_a_small_recipe_has_the_settings_of_the_paper(name: str) -> None:
    data, _, method = name.partition("_")
    recipe = Recipe.read(name)
    expected = TRAINING | OF_DATA[data] | OF_METHOD[method]
    assert {key: at(recipe, key) for key in expected} == expected


def test_the_imagenet_recipe_has_the_presets_of_byol() -> None:
    recipe = Recipe.read("imagenet_directcopy")
    assert {key: at(recipe, key) for key in IMAGENET} == IMAGENET
    assert recipe.views.blur.kernel_at(224) == 23


@pytest.mark.parametrize(("data", "method"), product(SETS, METHODS[1:]))
def test_methods_of_one_data_set_differ_in_predictor_moments_and_target_only(data: str, method: str) -> None:
    first, other = (Recipe.read(f"{data}_{each}") for each in ("directcopy", method))
    differ = {key for key in Recipe.model_fields if getattr(first, key) != getattr(other, key)} - {"run"}
    assert "predictor" in differ
    assert differ <= {"predictor", "moments", "target"}


@pytest.mark.parametrize(
    ("name", "images", "steps"),
    [("cifar10_directcopy", 50_000, 391), ("cifar100_directpred", 50_000, 391), ("stl10_byol", 105_000, 821)],
)
def test_an_epoch_has_the_steps_of_the_papers(name: str, images: int, steps: int) -> None:
    train = Recipe.read(name).train
    assert Plan(images, train.batch, train.epochs, seed=0).steps_per_epoch == steps


def test_imagenette_takes_the_steps_that_its_comment_promises() -> None:
    train = Recipe.read("imagenette_directcopy").train
    assert Plan(9_469, train.batch, train.epochs, seed=0).steps == 59_200


@pytest.mark.parametrize(
    ("name", "size"),
    [("cifar10_byol", 32), ("stl10_byol", 96), ("imagenette_byol", 128), ("imagenet_directcopy", 224)],
)
def test_views_have_the_size_of_the_papers(name: str, size: int) -> None:
    assert Recipe.read(name).data.view_size == size


@pytest.mark.parametrize("name", [*SMALL, *CATALOGUE, "imagenet_directcopy"])
def test_after_training_the_three_probes_run(name: str) -> None:
    assert Recipe.read(name).probe.after == ("knn", "linear", "spectrum")


@pytest.mark.parametrize("name", [f"{data}_directcopy" for data in (*SETS, "imagenet")])
def test_what_rests_on_others_implementations_is_marked_beside_the_value(name: str) -> None:
    lines = (shipped.folder() / f"{name}.toml").read_text(encoding="utf-8").splitlines()
    for key in ("eps", "norm", "rho"):
        (line,) = [line for line in lines if line.startswith(f"{key} = ")]
        assert "# unverified" in line


@pytest.mark.parametrize("name", [f"{data}_{method}" for data in ("cifar100", "imagenette") for method in METHODS])
def test_a_recipe_without_a_paper_says_so(name: str) -> None:
    text = (shipped.folder() / f"{name}.toml").read_text(encoding="utf-8")
    assert "has no CIFAR-100" in text or "No paper has Imagenette" in text


def test_the_papers_linear_protocol_is_one_override_away() -> None:
    (line,) = [
        line
        for line in (shipped.folder() / "cifar10_directcopy.toml").read_text(encoding="utf-8").splitlines()
        if "dcp pretrain" in line
    ]
    _, _, name, _, override = line.removeprefix("#").split()
    linear: Any = Recipe.read(name, (override,)).table()["probe"]["linear"]
    assert (linear["method"], linear["lr"], linear["weight_decay"]) == ("adam", 3e-4, 1e-3)
    assert (linear["batch"], linear["epochs"]) == (128, 50)


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_recipe_of_the_catalogue_names_its_authors_and_what_its_settings_rest_on(name: str) -> None:
    text = (shipped.folder() / f"{name}.toml").read_text(encoding="utf-8")
    assert re.search(r"[A-Z]\w+(, [A-Z]\w+| et al\.)[^=]* 20\d\d", text)
    assert re.search(r"guess|unverified|not known|not these|no paper has|[Rr]elease|published|No number|Table|%", text)


@pytest.mark.parametrize("name", TINY)
def test_a_tiny_recipe_is_tiny(name: str) -> None:
    recipe = Recipe.read(name)
    table = recipe.table()
    assert table["data"]["source"] == "shapes"
    assert Plan(table["data"]["images"], recipe.train.batch, recipe.train.epochs, seed=0).steps <= 10
    assert recipe.network.width <= 8


def test_the_tiny_recipes_have_every_predictor_target_and_objective_between_them() -> None:
    from dcp import catalogue

    made = [Recipe.read(name) for name in TINY]
    for section, folder in (("predictor", "predictors"), ("target", "targets"), ("objective", "objectives")):
        assert {getattr(recipe, section).name for recipe in made} == set(catalogue.names(folder))


def test_a_recipe_needs_no_run_name_in_its_file() -> None:
    for name in shipped.names():
        assert "run" not in layers.parse(shipped.folder() / f"{name}.toml"), name
