"""Views of images of any number of channels, of 8 or 16 bits: on the CPU, and as CUDA makes them."""

import pytest
import torch
from torch import Tensor

from dcp.data import statistics
from dcp.data.datasets.base import Dataset
from dcp.data.layout import WHITE
from dcp.data.views import crop
from dcp.data.views.apply import finish, normalize, random_views
from dcp.data.views.config import Blur, Jitter, Statistics, Views
from dcp.data.views.files import crop_file, resize_center
from dcp.data.views.on_device import DeviceViews
from dcp.data.views.parameters import draw
from dcp.errors import RequestError

PLAIN = Views(jitter_p=0.0, grayscale=0.0, blur=Blur(p=0.5, kernel=5))
GREY = Views(jitter=Jitter(saturation=0.0, hue=0.0), grayscale=0.0, blur=Blur(p=0.5, kernel=5))
INDEX = torch.arange(100, 124)
BOUND = 2e-5


def images(channels: int, dtype: torch.dtype, height: int = 33, width: int = 41) -> Tensor:
    """[24, channels, height, width], smooth enough for resampling to have something to do."""
    draw = torch.Generator().manual_seed(channels)
    small = torch.rand(24, channels, 9, 9, generator=draw)
    return (torch.nn.functional.interpolate(small, (height, width), mode="bilinear") * WHITE[dtype]).round().to(dtype)


def on_device(config: Views, channels: int, size: int = 32) -> DeviceViews:
    views = DeviceViews(config, size=size, seed=1, device=torch.device("cpu"), channels=channels)
    views.set_epoch(2)
    return views


@pytest.mark.parametrize("dtype", WHITE)
@pytest.mark.parametrize("size", [32, 80])
def test_each_channel_is_cut_mirrored_and_blurred_as_the_others(dtype, size):
    x = images(5, dtype)
    whole = torch.stack(random_views(x, INDEX, PLAIN, seed=1, epoch=2, size=size))
    alone = [torch.stack(random_views(x[:, c : c + 1], INDEX, PLAIN, seed=1, epoch=2, size=size)) for c in range(5)]
    assert (whole - torch.cat(alone, dim=2)).abs().max() < 1e-6
    assert (whole.shape, whole.dtype) == ((2, 24, 5, size, size), torch.float32)


@pytest.mark.parametrize("dtype", WHITE)
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_views_as_cuda_makes_them_are_those_of_the_cpu(channels, dtype, monkeypatch):
    monkeypatch.setattr(crop, "_PRODUCTS_UP_TO", 1000)
    numbers = tuple(0.1 * (c + 1) for c in range(channels))
    for config in (PLAIN, GREY) if channels == 1 else (PLAIN,):
        normalised = config.model_copy(update={"normalize": Statistics(mean=numbers, std=numbers)})
        x, views = images(channels, dtype), on_device(normalised, channels)
        expected = random_views(x, INDEX, normalised, seed=1, epoch=2, size=32)
        for view, other in zip(views.of_images(x, INDEX), expected, strict=True):
            assert view.shape == (24, channels, 32, 32)
            assert (view - other).abs().max() < BOUND / min(numbers)
        crops = images(channels, dtype, 32, 32)
        pair = torch.stack((crops, crops), dim=1)
        for number, view in enumerate(views.of_crops(pair, INDEX)):
            drawn = draw(normalised, INDEX, seed=1, epoch=2, view=number)
            assert (view - finish(crops, drawn, normalised)).abs().max() < BOUND / min(numbers)


def test_brightness_and_contrast_of_grey_are_those_of_the_same_grey_in_colours():
    x = images(1, torch.uint8)
    alone = random_views(x, INDEX, GREY, seed=1, epoch=2, size=32)
    three = random_views(x.expand(-1, 3, -1, -1), INDEX, GREY, seed=1, epoch=2, size=32)
    for one, colours in zip(alone, three, strict=True):
        assert (one - colours).abs().max() < 1e-3  # torchvision's luma adds up to 0.9999
    plain = random_views(x, INDEX, PLAIN, seed=1, epoch=2, size=32)
    assert (alone[0] - plain[0]).abs().max() > 0.05


@pytest.mark.parametrize("large", [False, True])
def test_sixteen_bits_that_hold_eight_give_the_same_views(large, monkeypatch):
    monkeypatch.setattr(crop, "_PRODUCTS_UP_TO", 8 if large else 1000)
    x = images(2, torch.uint8)
    eight = random_views(x, INDEX, PLAIN, seed=1, epoch=2, size=32)
    sixteen = random_views((x.int() * 257).to(torch.uint16), INDEX, PLAIN, seed=1, epoch=2, size=32)
    for one, other in zip(eight, sixteen, strict=True):
        assert (one - other).abs().max() < (1.01 / 255 if large else 1e-6)  # of bytes each direction rounds


def test_what_eight_bits_would_lose_reaches_the_network():
    x = (30_000 + images(1, torch.uint8).int()).to(torch.uint16)  # one or two levels of a byte
    made = resize_center(x, 32)
    assert (made.dtype, len(made.unique()) > 150) == (torch.uint16, True)
    assert len(crop_file(x[0], (3, 4, 20, 25), 32).unique()) > 50
    config = PLAIN.model_copy(update={"normalize": Statistics(mean=(0.4578,), std=(0.001,))})
    assert normalize(made, config).std() > 0.5
    assert random_views(x, INDEX, config, seed=0, epoch=0, size=32)[0].std() > 0.5


def test_statistics_are_those_of_the_centre_crops_whatever_their_type():
    for dtype in WHITE:
        x = images(4, dtype)
        mean, std = statistics.computed(Dataset(x), 32)
        pixels = resize_center(x, 32).double().transpose(0, 1).flatten(1) / WHITE[dtype]
        assert torch.allclose(torch.tensor(mean).double(), pixels.mean(1), atol=1e-7)
        assert torch.allclose(torch.tensor(std).double(), pixels.std(1, correction=0), atol=1e-7)


def test_statistics_are_of_images_from_the_whole_list(monkeypatch):
    monkeypatch.setattr(statistics, "IMAGES", 6)
    x = images(1, torch.uint8)
    assert statistics.computed(Dataset(x), 32) == statistics.computed(Dataset(x[::4]), 32)
    noted = statistics.noted(Dataset(x), Views(normalize="computed"), size=32, recorded=None)
    assert "computed on 6 of 24 images" in noted.remarks[0]
    recorded = {"mean_std": [[0.5], [0.25]]}
    again = statistics.noted(Dataset(x), Views(normalize="computed"), size=32, recorded=recorded)
    assert (again.mean_std, again.remarks) == (((0.5,), (0.25,)), ())


def test_a_channel_that_is_the_same_everywhere_is_refused():
    x = images(3, torch.uint8)
    x[:, 1] = 51
    with pytest.raises(RequestError, match=r"channel 2 of the training images is 0\.2 of white everywhere"):
        statistics.computed(Dataset(x), 32)


@pytest.mark.parametrize(
    "damaged", [None, {}, {"mean_std": None}, {"mean_std": [[0.1], [0.0]]}, {"mean_std": [[1], []]}]
)
def test_a_record_without_statistics_is_told_as_broken(damaged):
    with pytest.raises(RequestError, match="by which mean and deviation") as caught:
        statistics.settled(Views(normalize="computed"), damaged)
    assert caught.value.slug == "broken-run"
    assert statistics.settled(Views(), damaged) == Views()
