"""The made data set: the same bytes for the same seed, and a class that only the glyphs tell."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from dcp.data.datasets import shapes
from dcp.data.datasets.base import Dataset


@pytest.fixture(scope="module")
def train() -> Dataset:
    return shapes.load(shapes.Config(images=1000), "train")


@pytest.fixture(scope="module")
def test() -> Dataset:
    return shapes.load(shapes.Config(test_images=1000), "test")


def linear_accuracy(x: Tensor, y: Tensor, x_test: Tensor, y_test: Tensor) -> float:
    centre, spread = x.mean(0), x.std(0) + 1e-6
    fitted = LogisticRegression(C=0.01, max_iter=200).fit((x - centre) / spread, y)
    return float(fitted.score((x_test - centre) / spread, y_test))


def pixels(data: Dataset) -> Tensor:
    assert isinstance(data.images, Tensor)
    return data.images.double() / 255


def test_images_are_uint8_rgb_with_labels_of_ten_named_classes(train: Dataset) -> None:
    assert isinstance(train.images, Tensor)
    assert isinstance(train.labels, Tensor)
    assert (train.images.dtype, train.images.shape) == (torch.uint8, (1000, 3, 32, 32))
    assert (train.labels.dtype, train.labels.shape) == (torch.int64, (1000,))
    assert len(set(train.classes)) == 10


def test_classes_are_balanced_for_every_split_and_every_count() -> None:
    config = shapes.Config(images=103, test_images=57)
    for split, n in (("pretrain", 103), ("train", 103), ("test", 57)):
        counts = shapes.load(config, split).labels.bincount(minlength=10)
        assert counts.sum() == n
        assert counts.max() - counts.min() <= 1


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_threads() -> None:
    config, threads = shapes.Config(images=300, seed=3), torch.get_num_threads()
    first = shapes.load(config, "train").images
    try:
        torch.set_num_threads(threads + 1)
        assert torch.equal(shapes.load(config, "train").images, first)
    finally:
        torch.set_num_threads(threads)


def test_the_bytes_are_those_of_the_first_release() -> None:
    assert shapes.load(shapes.Config(images=200, test_images=200), "train").fingerprint() == "72d8d660d35d0cbc"
    assert shapes.load(shapes.Config(images=200, test_images=200), "test").fingerprint() == "83a413e4c4c56da1"


def test_another_seed_or_the_test_split_gives_other_images_everywhere() -> None:
    here = shapes.load(shapes.Config(images=60), "train").images
    seed = shapes.load(shapes.Config(images=60, seed=1), "train").images
    test = shapes.load(shapes.Config(test_images=60), "test").images
    for other in (seed, test):
        distance = (here[:, None].float() - other[None].float()).abs().mean((2, 3, 4))
        assert distance.min() > 10  # no image of one is in the other, not even nearly


def test_the_first_images_do_not_depend_on_how_many_are_made(train: Dataset) -> None:
    few = shapes.load(shapes.Config(images=70), "train")
    assert torch.equal(few.images, train.images[:70])
    assert torch.equal(few.labels, train.labels[:70])


def test_pretrain_is_train() -> None:
    config = shapes.Config(images=50)
    assert shapes.load(config, "pretrain").fingerprint() == shapes.load(config, "train").fingerprint()


@pytest.mark.parametrize("size", [8, 24, 33, 64])
def test_other_sizes_show_the_same_pictures(size: int, train: Dataset) -> None:
    data = shapes.load(shapes.Config(images=40, image_size=size), "train")
    assert data.images.shape == (40, 3, size, size)
    small, usual = (
        torch.nn.functional.interpolate(pixels(d.subset(torch.arange(40))), size=(8, 8), mode="area").flatten(1)
        for d in (data, train)
    )
    alike = torch.corrcoef(torch.cat([small, usual]))[:40, 40:]
    assert torch.equal(alike.argmax(1), torch.arange(40))


def test_every_image_has_the_same_mean_and_contrast(train: Dataset) -> None:
    x = 255 * pixels(train)
    assert (x.mean((2, 3)) - 128).abs().max() < 8  # what the cut to 0..255 leaves
    assert (x.std((1, 2, 3)) - 51).abs().max() < 7  # 56 before the cut


def test_the_mean_image_of_every_class_is_grey(train: Dataset) -> None:
    means = torch.stack([255 * pixels(train)[train.labels == k].mean(0) for k in range(10)])
    assert (means - 128).abs().max() < 5 * 56 / np.sqrt(100)


def test_colours_say_little_of_the_class(train: Dataset, test: Dataset) -> None:
    def colours(data: Dataset) -> Tensor:
        x = pixels(data).flatten(2)
        return torch.cat([x.mean(2), x.std(2), (x - x.mean(2, keepdim=True)).pow(3).mean(2)], 1)

    assert linear_accuracy(colours(train), train.labels, colours(test), test.labels) < 0.25


def test_a_linear_classifier_of_raw_pixels_is_poor(train: Dataset, test: Dataset) -> None:
    accuracy = linear_accuracy(pixels(train).flatten(1), train.labels, pixels(test).flatten(1), test.labels)
    assert accuracy < 0.22


def test_the_class_is_there_for_who_looks_at_neighbouring_pixels(train: Dataset, test: Dataset) -> None:
    def products(data: Dataset) -> Tensor:  # correlation of pixels a few steps apart: what conv layers can find
        x = pixels(data).mean(1) - 0.5
        steps = [(dy, dx) for dy in range(5) for dx in range(-4, 5)]
        return torch.stack([(x * x.roll(step, (1, 2))).mean((1, 2)) for step in steps], 1)

    assert linear_accuracy(products(train), train.labels, products(test), test.labels) > 0.8
