"""Drawn parameters: torchvision's distributions, and dependence on (seed, epoch, image, view) alone."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torchvision.transforms import ColorJitter, RandomResizedCrop

from dcp.data.views.config import Views
from dcp.data.views.crop_boxes import centre, draw_boxes
from dcp.data.views.parameters import BRIGHTNESS, CONTRAST, HUE, SATURATION, draw

N = 3_000
WHERE = {"seed": 0, "epoch": 0, "view": 0}


def drawn(config, n=20_000, **where):
    return draw(config, torch.arange(n), **{**WHERE, **where})


@pytest.mark.parametrize(
    ("size", "scale", "ratio"),
    [
        ((32, 32), (0.08, 1.0), (3 / 4, 4 / 3)),
        ((96, 57), (0.2, 0.9), (3 / 4, 4 / 3)),
        ((41, 200), (0.08, 1.0), (0.5, 1.5)),
        ((24, 120), (0.6, 1.0), (0.9, 1.1)),  # nothing fits: always the fallback, cut from a wide image
        ((120, 24), (0.6, 1.0), (0.9, 1.1)),  # likewise, cut from a tall one
        ((40, 50), (0.9, 1.0), (0.5, 2.0)),  # the fallback now and then: the whole image
        ((9, 7), (0.01, 1.0), (0.1, 10.0)),  # boxes that round to nothing
    ],
)
def test_boxes_have_the_distribution_of_random_resized_crop(size, scale, ratio):
    ours = draw_boxes(
        Views(crop_scale=scale, crop_ratio=ratio), torch.arange(N), **WHERE, height=size[0], width=size[1]
    )
    torch.manual_seed(0)
    blank = torch.zeros(3, *size)
    theirs = torch.tensor([RandomResizedCrop.get_params(blank, list(scale), list(ratio)) for _ in range(N)])
    for name, measure in MEASURES.items():
        p = stats.ks_2samp(measure(ours, size).numpy(), measure(theirs, size).numpy()).pvalue
        assert p > 1e-3, name


MEASURES = {
    "area": lambda box, size: box[:, 2] * box[:, 3] / (size[0] * size[1]),
    "ratio": lambda box, size: box[:, 3] / box[:, 2],
    "top": lambda box, size: box[:, 0],
    "left": lambda box, size: box[:, 1],
    "room used above": lambda box, size: box[:, 0] / (size[0] - box[:, 2]).clamp_min(1),
    "room used at the left": lambda box, size: box[:, 1] / (size[1] - box[:, 3]).clamp_min(1),
}


@settings(deadline=None)
@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    scale=st.tuples(st.floats(0, 1), st.floats(0.001, 1)).map(lambda pair: tuple(sorted(pair))),
    ratio=st.tuples(st.floats(0.01, 100), st.floats(0.01, 100)).map(lambda pair: tuple(sorted(pair))),
)
def test_a_box_lies_inside_of_the_image_and_is_not_empty(height, width, scale, ratio):
    config = Views(crop_scale=scale, crop_ratio=ratio)
    top, left, h, w = draw_boxes(config, torch.arange(50), **WHERE, height=height, width=width).T
    assert (h >= 1).all()
    assert (w >= 1).all()
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + h <= height).all()
    assert (left + w <= width).all()


def test_images_of_different_sizes_in_one_batch_get_the_boxes_they_get_alone():
    height, width = torch.tensor([32, 500, 96]), torch.tensor([48, 375, 20])
    together = draw_boxes(Views(), torch.tensor([4, 8, 6]), **WHERE, height=height, width=width)
    for b, image in enumerate((4, 8, 6)):
        alone = draw_boxes(Views(), torch.tensor([image]), **WHERE, height=int(height[b]), width=int(width[b]))
        assert torch.equal(alone[0], together[b])


@settings(deadline=None)
@given(
    height=st.integers(1, 5000),
    width=st.integers(1, 5000),
    ratio=st.tuples(*[st.floats(0.01, 100) | st.integers(1, 400).map(lambda n: n / 80)] * 2),
)
def test_the_centred_box_is_rounded_as_in_float32(height, width, ratio):
    least, most = torch.tensor(ratio, dtype=torch.float32)
    h = min(height, max(1, int((torch.tensor(float(width)) / least).round())))
    w = min(width, max(1, int((torch.tensor(float(height)) * most).round())))
    assert centre(ratio, height, width) == (((height - h) // 2, (width - w) // 2), (h, w))


def test_factors_are_uniform_between_torchvisions_ends():
    strengths = {"brightness": 0.4, "contrast": 1.5, "saturation": 0.0, "hue": 0.2}
    factors = drawn(Views(jitter=strengths)).factors
    reference = ColorJitter(**strengths)
    for op, ends in ((BRIGHTNESS, reference.brightness), (CONTRAST, reference.contrast), (HUE, reference.hue)):
        spread = stats.uniform(loc=ends[0], scale=ends[1] - ends[0])
        assert stats.kstest(factors[:, op].double().numpy(), spread.cdf).pvalue > 1e-3
    assert reference.saturation is None
    assert (factors[:, SATURATION] == 1).all()


def test_all_24_orders_of_the_colour_operations_are_equally_likely():
    order = drawn(Views()).order
    assert torch.equal(order.sort(dim=1).values, torch.arange(4).expand_as(order))
    code = order @ torch.tensor([64, 16, 4, 1])
    counts = [
        int((code == sum(4 ** (3 - i) * op for i, op in enumerate(p))).sum()) for p in itertools.permutations(range(4))
    ]
    assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("view", [0, 1])
def test_each_operation_happens_at_its_probability_in_each_view(view):
    config = Views(
        flip=(0.5, 0.9), jitter_p=(0.8, 0.1), grayscale=(0.2, 0.7), blur={"p": (1.0, 0.1)}, solarize=(0.0, 0.2)
    )
    p = drawn(config, view=view)
    for key, happens in (
        ("flip", p.flip),
        ("jitter_p", p.jitter),
        ("grayscale", p.grayscale),
        ("solarize", p.solarize),
    ):
        _assert_at_probability(happens, getattr(config, key)[view])
    _assert_at_probability(p.blur, config.blur.p[view])


def _assert_at_probability(happens, p):
    assert happens.dtype == torch.bool
    if p in (0, 1):
        assert (happens == bool(p)).all()
    assert stats.binomtest(int(happens.sum()), len(happens), p).pvalue > 1e-3


def test_operations_happen_independently_of_each_other():
    p = drawn(Views(flip=0.5, jitter_p=0.5, grayscale=0.5, blur={"p": 0.5}, solarize=0.5))
    columns = torch.stack((p.flip, p.jitter, p.grayscale, p.blur, p.solarize, p.sigma > p.sigma.median())).float()
    correlation = torch.corrcoef(columns) - torch.eye(6)
    assert correlation.abs().max() < 4.5 / columns.shape[1] ** 0.5


def test_blur_widths_are_uniform():
    sigma = drawn(Views(blur={"p": 1.0, "sigma": (0.5, 3.0)})).sigma
    assert stats.kstest(sigma.double().numpy(), stats.uniform(loc=0.5, scale=2.5).cdf).pvalue > 1e-3


@pytest.mark.parametrize("change", [{"seed": 1}, {"epoch": 1}, {"view": 1}])
def test_another_seed_epoch_or_view_draws_everything_anew(change):
    def fields(**where):
        p = drawn(Views(), n=1000, **where)
        boxes = draw_boxes(Views(), torch.arange(1000), **{**WHERE, **where}, height=32, width=32)
        return {"box": boxes, "order": p.order, "factors": p.factors, "sigma": p.sigma}

    one, other = fields(), fields(**change)
    for field in one:
        a, b = (p[field].view(1000, -1).double() for p in (one, other))
        assert (a == b).all(dim=1).double().mean() < 0.1, field
        correlation = torch.corrcoef(torch.cat((a.T, b.T)))[: a.shape[1], a.shape[1] :]
        assert correlation.abs().max() < 4.5 / 1000**0.5, field
