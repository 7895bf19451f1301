"""Colour operations against torchvision's own, on floats."""

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torchvision.transforms import functional as tv

from dcp.data.views import colour
from dcp.data.views.parameters import BRIGHTNESS, CONTRAST, HUE, SATURATION

BOUND = 2e-5  # of 1; the largest difference seen is 1.0014e-5, of hue in float32 (seed 278, size 19)
THEIRS = {
    BRIGHTNESS: tv.adjust_brightness,
    CONTRAST: tv.adjust_contrast,
    SATURATION: tv.adjust_saturation,
    HUE: tv.adjust_hue,
}


def batch(n, size=11, seed=0):
    """Random images with every kind of tie: grey, two equal channels, black, white, pure."""
    x = torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(seed))
    special = [[0.5, 0.5, 0.5], [0.7, 0.7, 0.2], [0.2, 0.7, 0.7], [0.7, 0.2, 0.7], [0, 0, 0], [1, 1, 1], [1, 0, 0]]
    x[:, :, 0, : len(special)] = torch.tensor(special).T[None, :, :size]
    return x


def random_order(n, seed):
    return torch.rand(n, 4, generator=torch.Generator().manual_seed(seed)).argsort(dim=1)


def random_factors(n, seed):
    factors = torch.rand(n, 4, generator=torch.Generator().manual_seed(seed)) * 2.5
    factors[:, HUE] = factors[:, HUE] / 2.5 - 0.5
    return factors


def one_by_one(image, order, factors):
    for op in order.tolist():
        image = THEIRS[op](image, float(factors[op]))
    return image


def jitter(x, apply, order, factors):
    """`colour.jitter` of a batch in any order."""
    sort = colour.hue_pass(apply, order).argsort(stable=True)
    y = colour.jitter(x[sort], apply[sort], order[sort], factors[sort])
    return y[sort.argsort()]


@example(seed=278, size=19)
@settings(deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(7, 20))
def test_jitter_equals_torchvisions_operations_called_one_by_one_in_each_images_order(seed, size):
    x, order, factors = batch(12, size, seed), random_order(12, seed), random_factors(12, seed)
    y = jitter(x, torch.ones(12, dtype=torch.bool), order, factors)
    for b in range(12):
        assert (y[b] - one_by_one(x[b], order[b], factors[b])).abs().max() <= BOUND


@pytest.mark.parametrize("shift", [-0.5, -1 / 3, -0.1, 1 / 6, 0.25, 0.5])
def test_turning_the_hue_equals_torchvisions_over_the_whole_colour_circle(shift):
    steps = torch.linspace(0, 1, 17)
    x = torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij")).view(1, 3, 17, 289).clone()
    expected = tv.adjust_hue(x[0], shift)
    colour._turn(x, torch.full((1, 1, 1), 6 * shift))
    assert (x[0] - expected).abs().max() <= BOUND


def test_images_without_jitter_keep_their_bits():
    x = batch(20) * 1.5 - 0.2  # also outside of [0, 1], where a clamp would show
    apply = torch.arange(20) % 3 == 0
    y = jitter(x, apply, random_order(20, 1), random_factors(20, 1))
    assert torch.equal(y[~apply], x[~apply])
    assert (y[apply] != x[apply]).any()
    assert torch.equal(jitter(x, torch.zeros(20, dtype=torch.bool), random_order(20, 1), random_factors(20, 1)), x)


def test_strengths_of_zero_leave_images_as_they_are():
    x = batch(8)
    neutral = torch.tensor([1.0, 1.0, 1.0, 0.0]).repeat(8, 1)
    assert torch.equal(jitter(x, torch.ones(8, dtype=torch.bool), random_order(8, 0), neutral), x)


def test_an_unsorted_batch_is_a_mistake_that_shows():
    order = torch.tensor([[3, 0, 1, 2], [0, 3, 1, 2]]).flip(0)
    with pytest.raises(AssertionError, match="sorted by hue_pass"):
        colour.jitter(batch(2), torch.tensor([True, True]), order, random_factors(2, 0))


def test_grayscale_equals_torchvisions_and_spares_the_others():
    x = batch(9, size=13)
    apply = torch.arange(9) % 2 == 0
    y = colour.grayscale(x.clone(), apply)
    assert (y[apply] - tv.rgb_to_grayscale(x[apply], 3)).abs().max() <= BOUND
    assert torch.equal(y[~apply], x[~apply])
    assert torch.equal(colour.grayscale(x.clone(), torch.zeros(9, dtype=torch.bool)), x)


@pytest.mark.parametrize("threshold", [0.0, 0.5, 0.7, 1.0])
def test_solarize_equals_torchvisions_exactly_and_spares_the_others(threshold):
    x = batch(9)
    apply = torch.arange(9) % 2 == 0
    y = colour.solarize(x.clone(), apply, threshold)
    assert torch.equal(y[apply], tv.solarize(x[apply], threshold))
    assert torch.equal(y[~apply], x[~apply])
    assert torch.equal(colour.solarize(x.clone(), torch.zeros(9, dtype=torch.bool), threshold), x)
