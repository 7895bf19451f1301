"""Settings of the papers' small-data recipe outside of the networks. Fact 33: views and evaluator."""

import pytest
import torch
from torch.testing import assert_close

views = pytest.importorskip("dcp.views")
linear = pytest.importorskip("dcp.evaluations.linear")


def test_blur_on_96_pixels_has_a_kernel_of_9_and_sigma_from_a_tenth_to_2():
    """Fact 33."""
    blur = views.Config().blur
    assert blur.kernel_at(96) == 9
    assert blur.sigma == (0.1, 2.0)


def test_the_default_views_are_those_of_the_cifar_recipe():
    """Fact 33."""
    config = views.Config()
    jitter = config.jitter
    assert (jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue) == (0.4, 0.4, 0.4, 0.1)
    assert (config.jitter_p, config.grayscale, config.flip) == (0.8, 0.2, 0.5)
    assert (config.blur.p, config.solarize) == (0.0, 0.0)
    assert config.crop_scale == (0.08, 1.0)
    assert config.crop_ratio == pytest.approx((3 / 4, 4 / 3))


def test_cifar_is_normalised_with_the_statistics_of_the_release():
    """Fact 33."""
    mean, std = views.Config(normalize="cifar10").statistics()
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
