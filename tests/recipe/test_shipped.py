"""The recipes that ship: all are there, all are right, and each holds the settings of its paper."""

import re
from itertools import product
from typing import Any

import pytest

from dcp import catalogue
from dcp.data.sampler import Plan
from dcp.data.views.config import Views
from dcp.recipe import layers, shipped
from dcp.recipe.recipe import Recipe

SETS = ("cifar10", "cifar100", "stl10", "imagenette")
METHODS = ("directcopy", "directpred", "directpred_every5", "linear", "byol", "simsiam", "identity")
CATALOGUE = [name for name in shipped.names() if name.startswith("cifar10_") and name[8:] not in METHODS]
TINY = [name for name in shipped.names() if name.startswith("tiny/")]

# What the papers say, section by section; a recipe has the settings of all its parts.
# Tian, Chen, Ganguli 2021, arXiv:2102.06810, appendix C, and the official release
TRAINING: dict[str, Any] = {
    "objective": {"name": "cosine", "scale": 1},
    "optimizer": {"name": "sgd", "lr": 0.03, "momentum": 0.9, "weight_decay": 4e-4, "exclude": "none"}
    | {"schedule": "constant", "warmup_epochs": 0},
    "train": {"batch": 128, "epochs": 100, "join_views": False},
    "network": {"backbone": "resnet18", "width": 64, "norm": "batch"}
    | {"projector": {"hidden": 512, "out": 128, "layers": 2, "norm": "batch", "affine": False, "out_norm": False}},
    "views": {"crop_scale": (0.08, 1.0), "crop_ratio": (0.75, 4 / 3), "flip": 0.5, "jitter_p": 0.8, "grayscale": 0.2}
    | {"solarize": 0.0, "blur": {"sigma": (0.1, 2.0)}},
    "moments": {"start": "first", "timing": "stale", "source": "pooled", "zero_mean": False},
}
CIFAR = {
    "network": {"stem": "small"},
    "views": {"jitter": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}}
    | {"blur": {"p": 0.0}, "normalize": "cifar10"},
}
STL10 = {
    "network": {"stem": "imagenet"},
    "views": {"jitter": {"brightness": 0.8, "contrast": 0.8, "saturation": 0.8, "hue": 0.2}}
    | {"blur": {"p": 1.0}, "normalize": "none"},
}
OF_DATA: dict[str, list[dict[str, Any]]] = {
    "cifar10": [CIFAR, {"data": {"source": "cifar10"}}],
    "cifar100": [CIFAR, {"data": {"source": "cifar100"}}],
    "stl10": [STL10, {"data": {"source": "stl10"}, "views": {"blur": {"kernel": 9}}}],
    # no paper: our choice
    "imagenette": [
        STL10,
        {"data": {"source": "imagenette", "size": "160px", "image_size": 128}},
        {"train": {"epochs": 800}, "views": {"blur": {"kernel": 13}}},
    ],
}
EMA = {"target": {"name": "ema", "tau": 0.996, "schedule": "constant"}}
MLP = {"predictor": {"name": "mlp", "hidden": 512, "norm": "batch", "affine": False}}
DIRECTPRED = {
    "predictor": {"name": "directpred", "eps": 0.1, "eps_place": "outside", "norm": "spectral"},
    "moments": {"rho": 0.3},
}
# Wang, Chen, Du, Tian 2021, arXiv:2110.04947, as others have implemented it
DIRECTCOPY = {"predictor": {"name": "directcopy", "eps": 0.3, "norm": "spectral", "every": 1}, "moments": {"rho": 0.5}}
OF_METHOD: dict[str, list[dict[str, Any]]] = {
    "directcopy": [EMA, DIRECTCOPY],
    "directpred": [EMA, DIRECTPRED, {"predictor": {"every": 1}}],
    "directpred_every5": [EMA, DIRECTPRED, {"predictor": {"every": 5, "lr_factor": 1}}],
    "linear": [EMA, {"predictor": {"name": "linear", "bias": False, "lr_factor": 1}}],
    "byol": [EMA, MLP],
    "simsiam": [{"target": {"name": "online"}}, MLP],
    "identity": [EMA, {"predictor": {"name": "identity"}}],
}
# BYOL's presets for 100 epochs (official release); DirectCopy's own ImageNet settings are not known
IMAGENET: dict[str, Any] = {
    "data": {"source": "imagenet", "image_size": 224},
    "network": {"backbone": "resnet50", "stem": "imagenet", "sync_norm": True}
    | {"projector": {"hidden": 4096, "out": 256, "affine": True}},
    "optimizer": {"name": "lars", "lr": 0.45, "lr_batch": 256, "momentum": 0.9, "weight_decay": 1e-6, "eta": 1e-3}
    | {"exclude": "norm_and_bias", "schedule": "cosine", "warmup_epochs": 10},
    "train": {"epochs": 100, "batch": 4096},
    "target": {"name": "ema", "tau": 0.99, "schedule": "cosine"},
    "views": {"jitter": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.2, "hue": 0.1}, "jitter_p": 0.8}
    | {"grayscale": 0.2, "blur": {"p": (1.0, 0.1), "sigma": (0.1, 2.0)}, "solarize": (0.0, 0.2)}
    | {"solarize_threshold": 0.5},
}
SETTINGS = {
    f"{data}_{method}": [TRAINING, *OF_DATA[data], *OF_METHOD[method]] for data, method in product(SETS, METHODS)
} | {"imagenet_directcopy": [IMAGENET, DIRECTCOPY]}


def text(name: str) -> str:
    return (shipped.folder() / f"{name}.toml").read_text(encoding="utf-8")


def test_the_recipes_of_the_papers_ship() -> None:
    assert {*SETTINGS, "quickstart"} <= set(shipped.names())


@pytest.mark.parametrize("name", shipped.names())
def test_a_shipped_recipe_is_right_and_its_run_is_named_after_it(name: str) -> None:
    assert Recipe.read(name).run.name == name.rpartition("/")[2]


@pytest.mark.parametrize("name", shipped.every())
def test_the_first_line_says_in_one_sentence_what_the_recipe_is(name: str) -> None:
    first = text(name).partition("\n")[0]
    assert first.startswith("# ")
    assert first.endswith(".")
    assert 30 < len(first) <= 120


def test_no_two_recipes_say_the_same_of_themselves() -> None:
    comments = [text(name).partition("\n")[0] for name in shipped.every()]
    assert len(set(comments)) == len(comments)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_recipe_has_the_settings_of_its_paper(name: str) -> None:
    expected = layers.flat(layers.merged(SETTINGS[name][::-1]))
    settings = layers.flat(Recipe.read(name).table())
    assert {key: settings[key] for key in expected} == expected
    assert len(expected) >= 35


def test_the_default_views_are_those_of_the_cifar_recipe() -> None:
    assert Recipe.read("cifar10_directcopy").views == Views(normalize="cifar10")


def test_a_blur_kernel_that_is_not_given_is_that_of_the_release() -> None:
    assert Recipe.read("imagenet_directcopy").views.blur.kernel_at(224) == 23


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
    ("name", "size"), [("cifar10_byol", 32), ("stl10_byol", 96), ("imagenette_byol", 128), ("imagenet_directcopy", 224)]
)
def test_views_have_the_size_of_the_papers(name: str, size: int) -> None:
    assert Recipe.read(name).data.view_size == size


@pytest.mark.parametrize("name", [*SETTINGS, *CATALOGUE])
def test_after_training_the_three_probes_run(name: str) -> None:
    assert Recipe.read(name).probe.after == ("knn", "linear", "spectrum")


@pytest.mark.parametrize("name", [f"{data}_directcopy" for data in (*SETS, "imagenet")])
def test_what_rests_on_others_implementations_is_marked_beside_the_value(name: str) -> None:
    for key in ("eps", "norm", "rho"):
        (line,) = [line for line in text(name).splitlines() if line.startswith(f"{key} = ")]
        assert "# unverified" in line


@pytest.mark.parametrize("name", [f"{data}_{method}" for data in ("cifar100", "imagenette") for method in METHODS])
def test_a_recipe_without_a_paper_says_so(name: str) -> None:
    assert "has no CIFAR-100" in text(name) or "No paper has Imagenette" in text(name)


def test_the_papers_linear_protocol_is_one_override_away() -> None:
    (line,) = [line for line in text("cifar10_directcopy").splitlines() if "dcp pretrain" in line]
    _, _, name, _, override = line.removeprefix("#").split()
    linear: Any = Recipe.read(name, (override,)).table()["probe"]["linear"]
    assert (linear["method"], linear["lr"], linear["weight_decay"]) == ("adam", 3e-4, 1e-3)
    assert (linear["batch"], linear["epochs"]) == (128, 50)


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_recipe_of_the_catalogue_names_its_authors_and_what_its_settings_rest_on(name: str) -> None:
    words = r"guess|unverified|not known|not these|no paper has|[Rr]elease|published|No number|Table|%"
    assert re.search(r"[A-Z]\w+(, [A-Z]\w+| et al\.)[^=]* 20\d\d", text(name))
    assert re.search(words, text(name))


@pytest.mark.parametrize("name", TINY)
def test_a_tiny_recipe_is_tiny(name: str) -> None:
    recipe = Recipe.read(name)
    table = recipe.table()
    assert table["data"]["source"] == "shapes"
    assert Plan(table["data"]["images"], recipe.train.batch, recipe.train.epochs, seed=0).steps <= 10
    assert recipe.network.width <= 8


def test_the_tiny_recipes_have_every_predictor_target_and_objective_between_them() -> None:
    made = [Recipe.read(name) for name in TINY]
    for section, folder in (("predictor", "predictors"), ("target", "targets"), ("objective", "objectives")):
        assert {getattr(recipe, section).name for recipe in made} == set(catalogue.names(folder))


def test_a_recipe_needs_no_run_name_in_its_file() -> None:
    for name in shipped.names():
        assert "run" not in layers.parse(shipped.folder() / f"{name}.toml"), name
