"""Views made where the images are: those that the CPU draws and makes."""

import itertools

import pytest
import torch
from test_random_views import BOUND, BYOL, CIFAR, CONFIGS, EVERYTHING, STL, photos

from dcp.data.views import crop
from dcp.data.views.apply import finish, random_views
from dcp.data.views.config import Views
from dcp.data.views.crop_boxes import draw_boxes
from dcp.data.views.on_device import DeviceViews
from dcp.data.views.parameters import draw
from dcp.errors import RequestError

CPU = torch.device("cpu")
STILL = Views(crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), flip=0.0, jitter_p=0.0, grayscale=0.0)


def device_views(config, size, *, seed=1, epoch=2, device=CPU):
    views = DeviceViews(config, size=size, seed=seed, device=device)
    views.set_epoch(epoch)
    return views


def assert_same(views, expected, unsolarized, config, index):
    """Compare to BOUND before normalisation, but for pixels within BOUND of the threshold of solarize."""
    scale = 1 if config.statistics() is None else min(config.statistics()[1])
    for number, (view, other, pixels) in enumerate(zip(views, expected, unsolarized, strict=True)):
        solarize = draw(config, index, seed=1, epoch=2, view=number).solarize
        close = ((pixels - config.solarize_threshold).abs() <= BOUND) & solarize[:, None, None, None]
        assert close.double().mean() < 0.01
        assert view.shape == other.shape
        assert view.is_contiguous()
        assert view.dtype == torch.float32
        assert (view - other).abs()[~close].max() <= BOUND / scale


def assert_views_of_the_cpu(config, height, width, size):
    images, index = photos(24, height, width), torch.arange(100, 124)
    pixels = config.model_copy(update={"solarize": 0.0, "normalize": "none"})
    expected, unsolarized = (random_views(images, index, c, seed=1, epoch=2, size=size) for c in (config, pixels))
    assert_same(device_views(config, size).of_images(images, index), expected, unsolarized, config, index)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize(("height", "width", "size"), [(32, 32, 32), (41, 29, 33), (20, 64, 47), (64, 64, 64)])
def test_views_are_those_that_the_cpu_makes(name, height, width, size):
    assert_views_of_the_cpu(CONFIGS[name], height, width, size)


@pytest.mark.parametrize("name", CONFIGS)
def test_large_views_are_those_that_products_make(name, monkeypatch):
    monkeypatch.setattr(crop, "_PRODUCTS_UP_TO", 1000)  # by resampling of bytes, the CPU's would be off by 1/255
    assert_views_of_the_cpu(CONFIGS[name], 96, 96, 96)
    assert_views_of_the_cpu(CONFIGS[name], 100, 131, 70)


@pytest.mark.parametrize("strong", itertools.product((False, True), repeat=4))
def test_colour_operations_without_strength_are_left_out(strong):
    names = ("brightness", "contrast", "saturation", "hue")
    config = Views(jitter={name: 0.4 * there for name, there in zip(names, strong, strict=True)}, jitter_p=0.7)
    assert_views_of_the_cpu(config, 16, 16, 16)


@pytest.mark.parametrize("name", CONFIGS)
def test_crops_of_files_are_finished_as_on_the_cpu(name):
    config, index = CONFIGS[name], torch.arange(100, 116)
    crops = photos(32, 32, 32).view(16, 2, 3, 32, 32)
    before = crops.clone()
    pixels = config.model_copy(update={"solarize": 0.0, "normalize": "none"})
    expected, unsolarized = (
        [finish(crops[:, v], draw(c, index, seed=1, epoch=2, view=v), c) for v in (0, 1)] for c in (config, pixels)
    )
    assert_same(device_views(config, 32).of_crops(crops, index), expected, unsolarized, config, index)
    assert torch.equal(crops, before)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize(
    ("height", "width", "scale", "ratio"),
    [
        (32, 32, (0.08, 1.0), (3 / 4, 4 / 3)),
        (96, 57, (0.2, 0.9), (3 / 4, 4 / 3)),
        (24, 120, (0.6, 1.0), (0.9, 1.1)),  # nothing fits: always the centred box
        (40, 50, (0.9, 1.0), (0.5, 2.0)),  # now and then
        (9, 7, (0.01, 1.0), (0.1, 10.0)),
    ],
)
def test_every_parameter_is_the_one_drawn_on_the_cpu(name, height, width, scale, ratio):
    config = CONFIGS[name].model_copy(update={"crop_scale": scale, "crop_ratio": ratio})
    index = torch.randint(0, 10**9, (500,), generator=torch.Generator().manual_seed(0))
    views, boxes = device_views(config, 8), []
    made = views.crop
    views.crop = lambda images, start, side, flip: boxes.append((start, side)) or made(images, start, side, flip)
    views.of_images(torch.zeros(500, 3, height, width, dtype=torch.uint8), index)
    happens, rank, values, _ = views._draw(index)
    for view in (0, 1):
        where = {"seed": 1, "epoch": 2, "view": view}
        p = draw(config, index, **where)
        assert torch.equal(happens[:, view].T, torch.stack((p.flip, p.jitter, p.grayscale, p.blur, p.solarize)))
        assert torch.equal(rank[:, view].argsort(dim=1), p.order)
        assert torch.equal(values[:, view, :4].float(), p.factors)
        assert torch.equal(values[:, view, 4].float(), p.sigma)
        drawn = torch.cat([corner[:, :, view] for corner in boxes[0]]).T
        assert torch.equal(drawn, draw_boxes(config, index, **where, height=height, width=width).float())


@pytest.mark.parametrize("config", [CIFAR, STL, BYOL.model_copy(update={"solarize": 0.0})])
def test_the_view_of_an_image_is_the_same_alone_in_another_batch_and_in_another_order(config):
    index = torch.randperm(1000, generator=torch.Generator().manual_seed(0))[:40]
    images, views = photos(40, 32, 32), device_views(config, 32)
    together = views.of_images(images, index)
    shuffled = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    for who in (shuffled, torch.arange(7, 30), *torch.arange(3)[:, None]):
        for view, expected in zip(views.of_images(images[who], index[who]), together, strict=True):
            assert (view - expected[who]).abs().max() <= BOUND


def test_an_epoch_is_written_into_the_same_tensor_and_makes_its_own_views():
    images, index, views = photos(20, 32, 32), torch.arange(20), DeviceViews(CIFAR, size=32, seed=0, device=CPU)
    keys = views.keys.data_ptr()
    made = {}
    for epoch in (0, 1, 1, 7, 0):
        views.set_epoch(epoch)
        x1, x2 = views.of_images(images, index)
        assert torch.equal(made.setdefault(epoch, (x1, x2))[0], x1)
        for view, expected in zip(
            (x1, x2), random_views(images, index, CIFAR, seed=0, epoch=epoch, size=32), strict=True
        ):
            assert (view - expected).abs().max() <= BOUND / 0.19
    assert views.keys.data_ptr() == keys
    written = views.keys._version
    views.set_epoch(0)
    assert views.keys._version == written
    assert all((made[a][0] - made[b][0]).abs().amax(dim=(1, 2, 3)).min() > 0.01 for a, b in ((0, 1), (0, 7), (1, 7)))


def test_with_nothing_to_do_views_are_the_images():
    images, index = photos(5, 33, 33), torch.arange(5)
    for view in device_views(STILL, 33).of_images(images, index):
        assert (view - images.float() / 255).abs().max() <= 1e-6
    for view in device_views(STILL, 33).of_crops(images[:, None].repeat(1, 2, 1, 1, 1), index):
        assert torch.equal(view, images.float() / 255)


def test_images_that_no_operation_concerns_keep_their_values():
    chances = {"flip": 0.3, "jitter_p": 0.5, "grayscale": 0.3, "solarize": 0.3}
    config = STILL.model_copy(update={**chances, "blur": EVERYTHING.blur})
    images, index = photos(200, 32, 32), torch.arange(200)
    for number, view in enumerate(device_views(config, 32).of_images(images, index)):
        p = draw(config, index, seed=1, epoch=2, view=number)
        spared = ~(p.flip | p.jitter | p.grayscale | p.blur | p.solarize)
        assert spared.sum() > 5
        assert (view - images.float() / 255)[spared].abs().max() <= 1e-6


def test_views_stay_float32_inside_of_autocast_and_ask_for_no_gradient():
    images, index, views = photos(8, 32, 32), torch.arange(8), device_views(BYOL, 32)
    outside = views.of_images(images, index)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        inside = views.of_images(images, index)
    assert all(torch.equal(a, b) for a, b in zip(inside, outside, strict=True))
    assert not any(view.requires_grad for view in outside)


def test_images_and_torchs_generator_are_left_alone():
    images, index = photos(20, 40, 50), torch.arange(20)
    copy, state = images.clone(), torch.get_rng_state()
    device_views(EVERYTHING, 32).of_images(images, index)
    assert torch.equal(images, copy)
    assert torch.equal(torch.get_rng_state(), state)


def test_an_empty_batch_gives_empty_views():
    for views in (device_views(BYOL, 32), device_views(STL, 32)):
        x1, x2 = views.of_images(photos(1, 32, 32)[:0], torch.arange(0))
        assert x1.shape == x2.shape == (0, 3, 32, 32)


@pytest.mark.parametrize(
    "images", [torch.zeros(2, 3, 8, 8), torch.zeros(2, 1, 8, 8).byte(), torch.zeros(3, 8, 8).byte()]
)
def test_images_of_another_kind_are_refused_with_what_was_found(images):
    with pytest.raises(ValueError, match=r"must be uint8 or uint16 \[B, 3, H, W\], not torch\.\w+ \[[\d, ]+\]"):
        device_views(CIFAR, 8).of_images(images, torch.arange(2))


@pytest.mark.parametrize(
    "crops", [torch.zeros(2, 3, 8, 8), torch.zeros(2, 2, 3, 9, 9), torch.zeros(2, 1, 3, 8, 8), torch.zeros(2)]
)
def test_crops_of_another_kind_are_refused_with_what_was_found(crops):
    for given in (crops.byte(), torch.zeros(2, 2, 3, 8, 8)):
        with pytest.raises(ValueError, match=r"must be uint8 or uint16 \[B, 2, 3, 8, 8\], not torch\.\w+ \[[\d, ]+\]"):
            device_views(CIFAR, 8).of_crops(given, torch.arange(2))


@pytest.mark.parametrize(
    "index", [torch.arange(3), torch.arange(2.0), torch.zeros(2, 1).long(), torch.arange(2, device="meta")]
)
def test_an_index_that_does_not_name_each_image_on_its_device_is_refused(index):
    views = device_views(CIFAR, 8)
    for given in (lambda: views.of_images(photos(2, 8, 8), index),
                  lambda: views.of_crops(photos(4, 8, 8).view(2, 2, 3, 8, 8), index)):  # fmt: skip
        with pytest.raises(ValueError, match=r"must be torch.int64 \[2\] on cpu"):
            given()


def test_a_blur_larger_than_the_view_is_refused():
    with pytest.raises(RequestError):
        DeviceViews(Views(blur={"kernel": 17}), size=8, seed=0, device=CPU)
