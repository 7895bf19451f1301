"""The [views] table: what is accepted, what is refused, and what is left out."""

import pytest
import torch
from pydantic import ValidationError

from dcp.data.views.config import Blur, Views, of_view
from dcp.errors import RequestError

CHANCES = ("flip", "jitter_p", "grayscale", "solarize")


@pytest.mark.parametrize("key", CHANCES)
def test_every_probability_is_a_number_or_a_pair(key):
    assert getattr(Views(**{key: 0.3}), key) == 0.3
    assert getattr(Views(**{key: (1.0, 0.1)}), key) == (1.0, 0.1)
    assert getattr(Views(**{key: 1}), key) == 1
    assert Views(blur={"p": (1.0, 0.1)}).blur.p == (1.0, 0.1)


def test_a_number_holds_for_both_views_and_a_pair_for_one_each():
    assert [of_view(0.3, view) for view in (0, 1)] == [0.3, 0.3]
    assert [of_view((1.0, 0.1), view) for view in (0, 1)] == [1.0, 0.1]


@pytest.mark.parametrize("key", CHANCES)
@pytest.mark.parametrize("wrong", [1.5, -0.1, float("nan"), "0.5", True, None, (0.5,), (0.5, 0.5, 0.5), (0.5, 1.5)])
def test_a_wrong_probability_is_reported_once_and_by_name(key, wrong):
    with pytest.raises(ValidationError) as caught:
        Views(**{key: wrong})
    [problem] = caught.value.errors()
    assert problem["loc"][0] == key


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"crop_scale": (0.5, 0.2)}, ()),
        ({"crop_scale": (0.0, 0.0)}, ()),
        ({"crop_scale": (0.5, 1.1)}, ("crop_scale", 1)),
        ({"crop_ratio": (2.0, 0.5)}, ()),
        ({"crop_ratio": (0.0, 1.0)}, ("crop_ratio", 0)),
        ({"jitter": {"hue": 0.6}}, ("jitter", "hue")),
        ({"jitter": {"brightness": -0.1}}, ("jitter", "brightness")),
        ({"jitter": {"saturation": float("inf")}}, ("jitter", "saturation")),
        ({"jitter": {"gamma": 0.1}}, ("jitter", "gamma")),
        ({"blur": {"kernel": 8}}, ("blur",)),
        ({"blur": {"kernel": -1}}, ("blur", "kernel")),
        ({"blur": {"sigma": (2.0, 0.1)}}, ("blur",)),
        ({"blur": {"sigma": (0.0, 0.1)}}, ("blur", "sigma", 0)),
        ({"blur": {"p": 2.0}}, ("blur", "p", "one")),
        ({"solarize_threshold": 128.0}, ("solarize_threshold",)),
        ({"normalize": "mnist"}, ("normalize", "one")),
        ({"normalize": {"mean": (0.5, 0.5, 0.5)}}, ("normalize", "several", "std")),
        ({"normalize": {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.0)}}, ("normalize", "several", "std", 2)),
        ({"flips": 0.5}, ("flips",)),
    ],
)
def test_an_impossible_value_is_refused_at_its_place(wrong, where):
    with pytest.raises(ValidationError) as caught:
        Views(**wrong)
    [problem] = caught.value.errors()
    assert problem["loc"] == where


def test_a_blur_kernel_left_out_is_a_tenth_of_the_view_and_odd():
    assert [Blur().kernel_at(size) for size in (1, 8, 32, 64, 96, 224)] == [1, 1, 3, 7, 9, 23]
    assert Blur(kernel=5).kernel_at(96) == 5


def test_a_blur_kernel_that_does_not_fit_the_view_is_refused_with_both_numbers():
    assert Blur(kernel=15).kernel_at(8) == 15
    with pytest.raises(RequestError, match=r"kernel of 17 pixels needs views larger than 8 pixels, not 8"):
        Blur(kernel=17).kernel_at(8)


def test_statistics_are_those_of_the_published_code():
    assert Views().statistics() is None
    assert Views(normalize="cifar10").statistics() == ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
    assert Views(normalize="imagenet").statistics() == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    own = {"mean": (0.1, 0.2, 0.3), "std": (1.0, 2.0, 3.0)}
    assert torch.tensor(Views(normalize=own).statistics()).tolist() == torch.tensor([own["mean"], own["std"]]).tolist()
