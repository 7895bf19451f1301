"""Settings of the papers' small-data recipe outside of the networks. Fact 33: views and evaluator."""

import pytest
import torch
from torch.testing import assert_close

from dcp.data.views.config import Views
from dcp.probing.evaluations import linear
from dcp.recipe.recipe import Recipe


def test_blur_on_96_pixels_has_a_kernel_of_9_and_sigma_from_a_tenth_to_2():
    """Fact 33."""
    blur = Views().blur
    assert blur.kernel_at(96) == 9
    assert blur.sigma == (0.1, 2.0)


def test_the_default_views_are_those_of_the_cifar_recipe():
    """Fact 33."""
    config = Views()
    jitter = config.jitter
    assert (jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue) == (0.4, 0.4, 0.4, 0.1)
    assert (config.jitter_p, config.grayscale, config.flip) == (0.8, 0.2, 0.5)
    assert (config.blur.p, config.solarize) == (0.0, 0.0)
    assert config.crop_scale == (0.08, 1.0)
    assert config.crop_ratio == pytest.approx((3 / 4, 4 / 3))


def test_cifar_is_normalised_with_the_statistics_of_the_release():
    """Fact 33."""
    mean, std = Views(normalize="cifar10").statistics()
    assert (mean, std) == ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))


def test_features_are_standardised_with_the_statistics_of_the_training_images_only():
    """Fact 33: train (1, 3) has mean 2 and deviation 1; test values move by those, whatever they are."""
    train = torch.tensor([[1.0], [3.0]], dtype=torch.float64)
    test = torch.tensor([[2.0], [12.0]], dtype=torch.float64)
    expected = (
        torch.tensor([[-1.0], [1.0]], dtype=torch.float64),
        torch.tensor([[0.0], [10.0]], dtype=torch.float64),
    )
    assert_close(linear.standardise(train, test), expected)


SMALL = [f"{data}_{method}" for data in ("stl10", "cifar10", "cifar100") for method in ("directcopy", "directpred")]
STRENGTH = {"stl10": (0.8, 0.8, 0.8, 0.2), "cifar10": (0.4, 0.4, 0.4, 0.1), "cifar100": (0.4, 0.4, 0.4, 0.1)}


@pytest.mark.parametrize("name", SMALL)
def test_the_shipped_recipes_have_the_views_of_the_release(name: str):
    """Fact 33: STL-10 has stronger colours, always a blur, no statistics; CIFAR-100 has CIFAR-10's."""
    config, data = Recipe.read(name).views, name.split("_")[0]
    jitter = config.jitter
    assert (jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue) == STRENGTH[data]
    assert (config.jitter_p, config.grayscale, config.flip, config.solarize) == (0.8, 0.2, 0.5, 0.0)
    assert config.blur.p == (1.0 if data == "stl10" else 0.0)
    assert config.normalize == ("none" if data == "stl10" else "cifar10")
    if data == "stl10":
        assert config.blur.kernel_at(96) == 9


@pytest.mark.parametrize("name", SMALL)
def test_the_shipped_recipes_have_the_network_and_the_optimizer_of_the_release(name: str):
    """Fact 33, and the recipe of Tian, Chen, Ganguli 2021."""
    recipe = Recipe.read(name)
    head, o = recipe.network.projector, recipe.optimizer
    assert recipe.network.stem == ("imagenet" if name.startswith("stl10") else "small")
    assert (recipe.network.backbone, recipe.network.width) == ("resnet18", 64)
    assert (head.hidden, head.out, head.layers, head.norm, head.affine) == (512, 128, 2, "batch", False)
    found = (o.name, o.lr, o.momentum, o.weight_decay, o.schedule, o.exclude)
    assert found == ("sgd", 0.03, 0.9, 4e-4, "constant", "none")
    assert (recipe.target.tau, recipe.target.schedule, recipe.train.batch) == (0.996, "constant", 128)
    if recipe.predictor.name == "directcopy":
        assert (recipe.predictor.eps, recipe.moments.rho) == (0.3, 0.5)
    else:
        assert (recipe.predictor.eps, recipe.moments.rho) == (0.1, 0.3)
