"""The whole chain: torchvision's functions one by one, and the same for an image wherever it is made."""

import pytest
import torch
from torchvision.transforms import functional as tv
from torchvision.transforms.v2 import functional as v2

from dcp.data.views import apply as apply_module
from dcp.data.views.apply import finish, normalize, random_views
from dcp.data.views.config import Views
from dcp.data.views.crop_boxes import draw_boxes
from dcp.data.views.files import crop_file
from dcp.data.views.parameters import draw

BOUND = 1e-5  # of 1, before normalisation
OPERATIONS = (tv.adjust_brightness, tv.adjust_contrast, tv.adjust_saturation, tv.adjust_hue)

CIFAR = Views(normalize="cifar10")
STL = Views(jitter={"brightness": 0.8, "contrast": 0.8, "saturation": 0.8, "hue": 0.2}, blur={"p": 1.0})
BYOL = Views(
    jitter={"brightness": 0.4, "contrast": 0.4, "saturation": 0.2, "hue": 0.1},
    blur={"p": (1.0, 0.1)},
    solarize=(0.0, 0.2),
    normalize="imagenet",
)
EVERYTHING = Views(
    crop_scale=(0.3, 1.0), flip=0.5, jitter_p=0.5, grayscale=0.3, blur={"p": 0.5, "kernel": 5}, solarize=0.5
)
CONFIGS = {"cifar": CIFAR, "stl": STL, "byol": BYOL, "everything": EVERYTHING}


def photos(n, height, width, seed=0):
    """Smooth random images with the full range of colours, uint8."""
    coarse = torch.rand(n, 3, 6, 6, generator=torch.Generator().manual_seed(seed))
    return (tv.resize(coarse, [height, width], antialias=True) * 255).round().to(torch.uint8)


def colours_one_by_one(x, p, b, config):
    """What follows the crop, image b, by torchvision's functions; without normalisation."""
    x = tv.hflip(x) if p.flip[b] else x
    if p.jitter[b]:
        for op in p.order[b].tolist():
            x = OPERATIONS[op](x, float(p.factors[b, op]))
    x = tv.rgb_to_grayscale(x, 3) if p.grayscale[b] else x
    if p.blur[b]:
        x = tv.gaussian_blur(x, [config.blur.kernel_at(x.shape[1])] * 2, [float(p.sigma[b])] * 2)
    return x


def assert_view_equals(view, x, p, b, config):
    """Compare, but for pixels within BOUND of the threshold of solarize, where both results are right."""
    expected = tv.solarize(x, config.solarize_threshold) if p.solarize[b] else x
    if config.statistics() is not None:
        expected = tv.normalize(expected, *config.statistics())
    scale = 1 if config.statistics() is None else min(config.statistics()[1])
    close = (x - config.solarize_threshold).abs() <= BOUND if p.solarize[b] else torch.zeros_like(x, dtype=torch.bool)
    assert close.double().mean() < 0.01
    assert (view - expected).abs()[~close].max() <= BOUND / scale


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize(("height", "width", "size"), [(32, 32, 32), (41, 29, 33), (96, 96, 96), (100, 131, 65)])
def test_views_equal_torchvisions_functions_called_one_by_one(name, height, width, size):
    config, index = CONFIGS[name], torch.arange(100, 124)
    images = photos(24, height, width)
    views = random_views(images, index, config, seed=1, epoch=2, size=size)
    for number, view in enumerate(views):
        where = {"seed": 1, "epoch": 2, "view": number}
        p, boxes = draw(config, index, **where), draw_boxes(config, index, **where, height=height, width=width)
        assert view.shape == (24, 3, size, size)
        assert view.dtype == torch.float32
        for b in range(24):
            large = max(height, width, size) > 64  # resampled as bytes on a CPU, as v2 does it
            x = images[b] if large else tv.convert_image_dtype(images[b], torch.float32)
            x = v2.resized_crop(x, *boxes[b].tolist(), size=[size, size], antialias=True)
            x = tv.convert_image_dtype(x, torch.float32)
            assert_view_equals(view[b], colours_one_by_one(x, p, b, config), p, b, config)


@pytest.mark.parametrize("name", CONFIGS)
def test_crops_of_files_are_finished_as_torchvision_does(name):
    config, index = CONFIGS[name], torch.arange(16)
    p = draw(config, index, seed=3, epoch=0, view=1)
    crops = photos(16, 32, 32)
    before = crops.clone()
    view = finish(crops, p, config)
    assert torch.equal(crops, before)
    for b in range(16):
        x = tv.convert_image_dtype(crops[b], torch.float32)
        assert_view_equals(view[b], colours_one_by_one(x, p, b, config), p, b, config)


@pytest.mark.parametrize("size", [32, 96])
def test_views_made_from_files_are_those_made_in_memory_to_the_bytes_rounding(size):
    config = Views(jitter_p=0.0, grayscale=0.3, blur={"p": 0.5})
    index = torch.arange(12)
    images = photos(12, 110, 80)
    views = random_views(images, index, config, seed=0, epoch=5, size=size)
    for number, view in enumerate(views):
        where = {"seed": 0, "epoch": 5, "view": number}
        boxes = draw_boxes(config, index, **where, height=110, width=80).tolist()
        crops = torch.stack([crop_file(image, box, size) for image, box in zip(images, boxes, strict=True)])
        finished = finish(crops, draw(config, index, **where), config)
        assert (finished - view).abs().max() <= 2 / 255


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("size", [32, 80])
def test_the_view_of_an_image_is_the_same_alone_in_another_batch_and_in_another_order(name, size):
    config, index = CONFIGS[name], torch.randperm(1000, generator=torch.Generator().manual_seed(0))[:40]
    images = photos(40, size, size)

    def made(who):
        return random_views(images[who], index[who], config, seed=0, epoch=0, size=size)

    together = made(torch.arange(40))
    shuffled = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    for who in (shuffled, torch.arange(7, 30), *torch.arange(3)[:, None]):
        for view, expected in zip(made(who), together, strict=True):
            assert torch.equal(view, expected[who])


def test_the_parts_that_a_batch_is_made_in_do_not_show(monkeypatch):
    images, index = photos(30, 32, 32), torch.arange(30)
    whole = random_views(images, index, EVERYTHING, seed=0, epoch=0, size=32)
    monkeypatch.setattr(apply_module, "_PART", 7 * 3 * 32 * 32)
    parts = random_views(images, index, EVERYTHING, seed=0, epoch=0, size=32)
    assert all(torch.equal(a, b) for a, b in zip(whole, parts, strict=True))


def test_the_two_views_differ_and_so_do_the_views_of_equal_images():
    images = photos(1, 32, 32).repeat(20, 1, 1, 1)
    x1, x2 = random_views(images, torch.arange(20), CIFAR, seed=0, epoch=0, size=32)
    assert ((x1 - x2).abs().amax(dim=(1, 2, 3)) > 0.01).all()
    assert torch.pdist(x1.flatten(1)).min() > 0.01


def test_the_same_request_gives_the_same_bits_and_leaves_torchs_generator_and_the_images_alone():
    images, index = photos(20, 40, 50), torch.arange(20)
    copy, state = images.clone(), torch.get_rng_state()
    one, other = (random_views(images, index, BYOL, seed=0, epoch=0, size=40) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert torch.equal(images, copy)
    assert torch.equal(torch.get_rng_state(), state)


def test_with_nothing_to_do_views_are_the_images():
    still = Views(crop_scale=(1.0, 1.0), crop_ratio=(1.0, 1.0), flip=0.0, jitter_p=0.0, grayscale=0.0)
    images = photos(5, 32, 32)
    for view in random_views(images, torch.arange(5), still, seed=0, epoch=0, size=32):
        assert torch.equal(view, images.float() / 255)


def test_views_stay_float32_inside_of_autocast():
    images, index = photos(8, 32, 32), torch.arange(8)
    outside = random_views(images, index, BYOL, seed=0, epoch=0, size=32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = random_views(images, index, BYOL, seed=0, epoch=0, size=32)
    assert all(torch.equal(a, b) for a, b in zip(inside, outside, strict=True))


def test_nothing_is_read_back_from_the_device():
    # tensors on the "meta" device have no values: whatever would wait for a GPU raises here
    images, index = photos(9, 40, 30).to("meta"), torch.arange(9)
    for view in random_views(images, index, EVERYTHING, seed=0, epoch=0, size=32):
        assert view.device.type == "meta"
        assert view.shape == (9, 3, 32, 32)
    p = draw(BYOL, index, seed=0, epoch=0, view=1)
    assert finish(images[:, :, :30], p, BYOL).device.type == "meta"


def test_an_empty_batch_gives_empty_views():
    x1, x2 = random_views(photos(1, 32, 32)[:0], torch.arange(0), STL, seed=0, epoch=0, size=32)
    assert x1.shape == x2.shape == (0, 3, 32, 32)


def test_evaluation_normalises_as_the_views_do():
    images = photos(4, 32, 32)
    expected = tv.normalize(tv.convert_image_dtype(images, torch.float32), *CIFAR.statistics())
    assert (normalize(images, CIFAR) - expected).abs().max() <= BOUND
    assert torch.equal(normalize(images[0], CIFAR), normalize(images, CIFAR)[0])
    assert torch.equal(normalize(images, STL), images.float() / 255)
    with pytest.raises(ValueError, match="must be uint8"):
        normalize(images.float(), CIFAR)


@pytest.mark.parametrize(
    "images", [torch.zeros(2, 3, 8, 8), torch.zeros(2, 17, 8, 8).byte(), torch.zeros(3, 8, 8).byte()]
)
def test_images_of_another_kind_are_refused_with_what_was_found(images):
    with pytest.raises(ValueError, match=r"must be uint8 or uint16 \[B, C, H, W\], not torch\.\w+ \[[\d, ]+\]"):
        random_views(images, torch.arange(2), CIFAR, seed=0, epoch=0, size=8)


@pytest.mark.parametrize("index", [torch.arange(3), torch.arange(2.0), torch.zeros(2, 1, dtype=torch.int64)])
def test_an_index_that_does_not_name_each_image_is_refused(index):
    with pytest.raises(ValueError, match=r"must be torch.int64 \[2\] on the CPU"):
        random_views(photos(2, 8, 8), index, CIFAR, seed=0, epoch=0, size=8)
