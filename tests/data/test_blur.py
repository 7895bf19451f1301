"""Gaussian blur against torchvision's own."""

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torchvision.transforms import functional as tv

from dcp.data.views import blur

BOUND = 1e-5  # of 1; the largest difference seen is 1.4e-6
WAYS = [blur.by_convolution, blur.by_products]


def batch(n, size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, 3, size, size, generator=generator), 0.05 + 4 * torch.rand(n, generator=generator)


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=40, deadline=None)
@given(size=st.integers(2, 50), half=st.integers(1, 11), seed=st.integers(0, 99))
@example(size=96, half=4, seed=0)  # of the papers
@example(size=224, half=11, seed=0)
def test_blur_equals_torchvisions_at_any_size_and_width(way, size, half, seed):
    kernel = 2 * min(half, size - 1) + 1
    x, sigma = batch(4, size, seed)
    y = way(x, blur.gaussian(sigma, kernel))
    for b in range(4):
        expected = tv.gaussian_blur(x[b], [kernel, kernel], [float(sigma[b])] * 2)
        assert (y[b] - expected).abs().max() <= BOUND


def test_images_that_are_not_blurred_keep_their_bits():
    x, sigma = batch(10, 16)
    apply = torch.arange(10) % 3 == 0
    y = blur.blur(x.clone(), apply, sigma, 5)
    assert torch.equal(y[~apply], x[~apply])
    for b in apply.nonzero()[:, 0].tolist():
        assert (y[b] - tv.gaussian_blur(x[b], [5, 5], [float(sigma[b])] * 2)).abs().max() <= BOUND
    assert torch.equal(blur.blur(x.clone(), torch.zeros(10, dtype=torch.bool), sigma, 5), x)
    assert torch.equal(blur.blur(x.clone(), torch.ones(10, dtype=torch.bool), sigma, 1), x)


def test_three_taps_over_three_pixels_by_hand():
    # taps (1, 2, 1)/4: the first pixel sees the second twice, by its mirror image beyond the edge
    matrix = blur.toeplitz(torch.tensor([[0.25, 0.5, 0.25]]), 3)
    assert torch.equal(matrix[0], torch.tensor([[0.5, 0.5, 0.0], [0.25, 0.5, 0.25], [0.0, 0.5, 0.5]]))
