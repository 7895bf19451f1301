"""Crop and resize against torchvision's own: products on floats, resampling on bytes."""

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torchvision.transforms import functional as tv
from torchvision.transforms.v2 import functional as v2

from dcp.data.views import crop

BOUND = 1e-5  # of 1; the largest difference seen over 1,000 boxes is 5e-6, of mirrored resampling
WAYS = [crop.by_products, crop.by_resampling]


def theirs(image, box, flip, size, *, on_bytes=False):
    x = image if on_bytes else tv.convert_image_dtype(image, torch.float32)
    x = (v2 if on_bytes else tv).resized_crop(x, *box, size=[size, size], antialias=True)  # v2 leaves bytes bytes
    return tv.convert_image_dtype(tv.hflip(x) if flip else x, torch.float32)


def images(batch, height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (batch, 3, height, width), dtype=torch.uint8, generator=generator)


def boxes(batch, height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def span(side):
        ends = torch.randint(0, side + 1, (batch, 2), generator=generator).sort(dim=1).values
        start = ends[:, 0].clamp_max(side - 1)
        return start, (ends[:, 1] - start).clamp_min(1)

    (top, h), (left, w) = span(height), span(width)
    return torch.stack((top, left, h, w), dim=1), torch.rand(batch, generator=generator) < 0.5


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=40, deadline=None)
# sizes from 2: torchvision's own resampling of bytes to a single pixel ends in an internal assertion of PyTorch's
@given(height=st.integers(1, 90), width=st.integers(1, 90), size=st.integers(2, 70), seed=st.integers(0, 99))
@example(height=224, width=161, size=224, seed=3)
@example(height=300, width=400, size=128, seed=3)
def test_crops_equal_torchvisions_at_any_size_odd_and_not_square(way, height, width, size, seed):
    x = images(6, height, width, seed)
    box, flip = boxes(6, height, width, seed)
    y = way(x, box, flip, size)
    for b in range(6):
        bytewise = way is crop.by_resampling
        assert (y[b] - theirs(x[b], box[b].tolist(), flip[b], size, on_bytes=bytewise)).abs().max() <= BOUND
        assert (y[b] - theirs(x[b], box[b].tolist(), flip[b], size)).abs().max() <= 1.01 / 255
    assert y.dtype == torch.float32
    assert y.min() >= 0
    assert y.max() <= 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("flipped", [False, True])
def test_a_box_of_the_views_size_is_cut_out_exactly(way, flipped):
    x = images(3, 70, 50)
    box = torch.tensor([[0, 0, 33, 33], [37, 17, 33, 33], [20, 3, 33, 33]])
    y = way(x, box, torch.full((3,), flipped), 33)
    for b, (top, left, _, _) in enumerate(box.tolist()):
        expected = x[b, :, top : top + 33, left : left + 33].float() / 255
        assert torch.equal(y[b], expected.flip(2) if flipped else expected)


@pytest.mark.parametrize("way", WAYS)
def test_no_pixel_outside_of_the_box_is_seen(way):
    x = images(1, 64, 48)
    other = 255 - x
    box = torch.tensor([[10, 5, 30, 40]])
    other[:, :, 10:40, 5:45] = x[:, :, 10:40, 5:45]
    for size in (7, 32, 64):
        one, two = (way(source, box, torch.tensor([True]), size) for source in (x, other))
        assert torch.equal(one, two)


def test_rows_of_weights_add_up_to_one_and_vanish_outside_of_the_box():
    start, length = torch.tensor([0.0, 3, 19]), torch.tensor([20.0, 9, 1])
    w = crop.weights(start, length, torch.zeros(3, dtype=torch.bool), 20, 8)
    assert torch.allclose(w.sum(dim=2), torch.ones(3, 8))
    assert (w >= 0).all()
    assert (w[1, :, :3] == 0).all()
    assert (w[1, :, 12:] == 0).all()
    assert (w[2, :, :19] == 0).all()
    upside_down = crop.weights(start, length, torch.ones(3, dtype=torch.bool), 20, 8)
    assert torch.equal(upside_down, w.flip(1))


def test_halving_is_a_triangle_of_width_four_by_hand():
    # 6 pixels to 3: output 1 is centred on 3; pixel centres lie 1.5, 0.5, 0.5, 1.5 from it, half width 2
    w = crop.weights(torch.zeros(1), torch.full((1,), 6.0), torch.zeros(1, dtype=torch.bool), 6, 3)
    assert torch.allclose(w[0, 1], torch.tensor([0, 1, 3, 3, 1, 0]) / 8)


def test_a_single_colour_stays_within_the_pixels_range():
    x = torch.full((5, 3, 40, 40), 255, dtype=torch.uint8)
    box, flip = boxes(5, 40, 40, seed=1)
    assert (crop.crop(x, box, flip, 33) <= 1).all()


def test_small_sources_go_by_products_and_large_ones_by_resampling_on_a_cpu(monkeypatch):
    went = []
    for name in ("by_products", "by_resampling"):
        monkeypatch.setattr(crop, name, lambda *_, name=name: went.append(name))
    for side, size in ((32, 32), (64, 64), (96, 32), (32, 96)):
        crop.crop(images(1, side, side), *boxes(1, side, side), size)
    assert went == ["by_products", "by_products", "by_resampling", "by_resampling"]
