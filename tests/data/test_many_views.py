"""More than two views of an image, and local ones: drawn by their number, the same whoever makes them."""

import hashlib

import pytest
import torch
from PIL import Image
from test_device_views import assert_same
from test_device_views_static import Recorded
from test_random_views import BYOL, CIFAR, CONFIGS, photos
from torch._subclasses import FakeTensorMode

from dcp.data.batch_views import BatchViews
from dcp.data.image_lists import Files
from dcp.data.loader import Batch, Crops, Shares, batches
from dcp.data.sampler import Plan
from dcp.data.views.apply import random_views
from dcp.data.views.config import Local, Views
from dcp.data.views.crop_boxes import draw_boxes
from dcp.data.views.on_device import DeviceViews
from dcp.data.views.parameters import draw
from dcp.errors import Problems, RequestError
from dcp.recipe.recipe import Recipe

CPU = torch.device("cpu")
INDEX = torch.arange(100, 112)
WHERE = {"seed": 1, "epoch": 2}

# Of two views, as they were before an image could have more: a digest of all that is drawn; the mean of the pixels;
# their mean with weights from 0 to 1 in the order of memory.
BEFORE = {
    "cifar": ("27601eec2740463a", -0.1027363, -0.0086352),
    "stl": ("b67fdc34842a86a3", 0.4129318, 0.2248912),
    "byol": ("7eae4912c716a664", -0.0065828, 0.0329558),
    "everything": ("b5649f626785d710", 0.4117367, 0.2201038),
}


def many(config, count=2, local=0, size=16):
    return config.model_copy(update={"count": count, "local": Local(count=local, size=size)})


def made(config, size=32):
    return random_views(photos(12, 40, 36), INDEX, config, **WHERE, size=size)


def on_device(config, size=32):
    """`BatchViews` that makes them as a GPU does."""
    views = BatchViews(photos(12, 40, 36), config, size=size, seed=1, device=CPU)
    views.on_device = [
        DeviceViews(group.config, size=group.size, seed=1, device=CPU, views=group.numbers) for group in views.groups
    ]
    for part in views.on_device:
        part.set_epoch(2)
    return views


@pytest.fixture
def files(tmp_path):
    """The images of `photos` as files, and in memory."""
    images = photos(12, 40, 36)
    for i, image in enumerate(images):
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(tmp_path / f"{i:02}.png")
    return Files.listed(tmp_path, [f"{i:02}.png".encode() for i in range(12)]), images


@pytest.mark.parametrize("name", CONFIGS)
def test_two_views_are_those_that_were_made_before_there_could_be_more(name):
    drawn = hashlib.sha256()
    for view in (0, 1):
        boxes = draw_boxes(CONFIGS[name], INDEX, **WHERE, view=view, height=40, width=36)
        for values in (*draw(CONFIGS[name], INDEX, **WHERE, view=view), boxes):
            drawn.update(values.contiguous().numpy().tobytes())
    digest, mean, weighted = BEFORE[name]
    assert drawn.hexdigest()[:16] == digest
    pixels = torch.stack(made(CONFIGS[name])).double().flatten()
    weights = torch.linspace(0, 1, len(pixels), dtype=torch.float64)
    assert [float(pixels.mean()), float((pixels * weights).mean())] == pytest.approx([mean, weighted], abs=2e-5)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize(
    "make", [made, lambda config: on_device(config).on_device[0].of_images(photos(12, 40, 36), INDEX)]
)
def test_the_first_two_of_eight_views_are_the_two_that_an_image_would_have(name, make):
    two, eight = make(CONFIGS[name]), make(many(CONFIGS[name], 8))
    assert len(eight) == 8
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(two, eight, strict=False))
    if make is made:
        assert all(torch.equal(a, b) for a, b in zip(two, eight, strict=False))


def test_local_views_change_nothing_about_the_others_and_have_their_own_size_and_area():
    config = many(BYOL, 3, local=4)
    views = made(config)
    assert [view.shape[-1] for view in views] == [32] * 3 + [16] * 4
    assert all(torch.equal(a, b) for a, b in zip(views, made(many(BYOL, 3)), strict=False))
    whole, local = config.groups(32)
    assert (whole.config.crop_scale, local.config.crop_scale) == ((0.08, 1.0), (0.05, 0.4))
    boxes = draw_boxes(local.config, torch.arange(2000), **WHERE, view=3, height=400, width=400)
    share = boxes[:, 2:].prod(dim=1) / 400**2
    assert 0.049 < float(share.min()) < 0.06
    assert 0.39 < float(share.max()) < 0.401


def test_every_view_of_an_image_is_another():
    views = made(many(CIFAR, 16, local=16, size=32))
    assert len(views) == 32
    for i, a in enumerate(views):
        for b in views[:i]:
            assert (a - b).abs().amax(dim=(1, 2, 3)).min() > 0.01


def test_of_a_pair_of_probabilities_the_second_is_for_all_views_but_the_first():
    for view, share in enumerate([1.0, 0.1, 0.1, 0.1]):
        blurred = draw(BYOL, torch.arange(5000), **WHERE, view=view).blur
        assert abs(float(blurred.float().mean()) - share) < 0.02


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize(("count", "local"), [(4, 0), (2, 3), (3, 1)])
def test_views_made_on_the_device_are_those_of_the_host(name, count, local):
    config = many(CONFIGS[name], count, local)
    pixels = config.model_copy(update={"solarize": 0.0, "normalize": "none"})
    views = on_device(config).of(torch.arange(12), None)
    expected, plain = (
        random_views(photos(12, 40, 36), torch.arange(12), c, **WHERE, size=32) for c in (config, pixels)
    )
    assert_same(views[:count], expected[:count], plain[:count], config, torch.arange(12))
    assert len(views) == count + local
    for view, other, number in zip(views[count:], expected[count:], range(count, count + local), strict=True):
        spared = ~draw(config, torch.arange(12), **WHERE, view=number).solarize
        assert view.shape == other.shape == (12, 3, 16, 16)
        assert (view - other).abs()[spared].max() <= 1e-4


@pytest.mark.parametrize(("count", "local"), [(2, 0), (4, 0), (2, 3)])
def test_views_of_files_are_those_of_the_same_images_in_memory_to_the_rounding_of_bytes(files, count, local):
    listed, images = files
    config = many(Views(jitter_p=0.0, grayscale=0.3), count, local)
    plan = Plan(12, 5, 2, 1)
    kwargs = {"size": 32, "pin": False, "workers": 0}
    device = on_device(config)
    device.images = None
    for batch in batches(listed, Shares(plan, 0, 0), config, **kwargs):
        views = BatchViews(listed, config, size=32, seed=1, device=CPU)
        memory = BatchViews(images, config, size=32, seed=1, device=CPU)
        ours, theirs = views.of(*views.inputs(batch)), memory.of(*memory.inputs(Batch(0, batch.epoch, 5, batch.index)))
        assert [view.shape for view in ours] == [view.shape for view in theirs]
        assert [len(ours), ours[-1].shape[-1]] == [count + local, 16 if local else 32]
        for a, b, c in zip(ours, theirs, device.of(*device.inputs(batch)), strict=True):
            assert (a - b).abs().max() <= 2 / 255
            assert (a - c).abs().max() <= 1e-5


@pytest.mark.parametrize(("count", "local"), [(4, 0), (2, 3)])
def test_a_run_that_goes_on_and_any_number_of_readers_see_the_same_crops(files, count, local):
    listed, _ = files
    config, plan = many(Views(), count, local), Plan(12, 5, 2, 1)

    def read(start, workers):
        shares = Shares(plan, 0, start)
        return [b.crops.clone() for b in batches(listed, shares, config, size=32, pin=False, workers=workers)]

    whole = read(0, 0)
    assert len(whole) == plan.steps > 4
    for start, workers in ((0, 2), (3, 0), (3, 2)):
        assert all(torch.equal(a, b) for a, b in zip(read(start, workers), whole[start:], strict=True))


def test_crops_of_one_size_keep_their_shape(files):
    assert Crops(files[0], Views(), 0, 32).read(0, 3).shape == (2, 3, 32, 32)
    assert Crops(files[0], many(Views(), 5), 0, 32).read(0, 3).shape == (5, 3, 32, 32)


@pytest.mark.parametrize("given", ["images", "crops"])
def test_on_a_gpu_many_views_ask_for_no_value_and_nothing_comes_from_the_cpu(given):
    config = many(BYOL, 4, local=2)
    with FakeTensorMode():
        device = torch.device("cuda")
        views = BatchViews(torch.empty(20, 3, 40, 30, dtype=torch.uint8, device=device), config, size=32, seed=0,
                           device=device)  # fmt: skip
        index = torch.empty(9, dtype=torch.int64, device=device)
        crops = torch.empty(9, 3 * (4 * 32**2 + 2 * 16**2), dtype=torch.uint8, device=device)
        views.images = views.images if given == "images" else None
        with Recorded(index.device) as recorded:
            made = views.of(index, crops)
        assert recorded.operations
        assert recorded.elsewhere == []
        assert [view.shape for view in made] == [(9, 3, 32, 32)] * 4 + [(9, 3, 16, 16)] * 2
        assert all(view.is_contiguous() for view in made)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"count": 1}, "views.count is 1"),
        ({"count": 17}, "views.count is 17"),
        ({"count": 2.5}, "views.count is 2.5"),
        ({"local": {"count": -1}}, "views.local.count is -1"),
        ({"local": {"count": 17}}, "views.local.count is 17"),
        ({"local": {"size": 7}}, "views.local.size is 7"),
        ({"local": {"size": 5000}}, "views.local.size is 5000"),
        ({"local": {"crop_scale": [0.4, 0.05]}}, "views.local: crop_scale must go up: [0.4, 0.05]"),
        ({"local": {"crop_scale": [0.0, 0.0]}}, "crop_scale must leave something of the image"),
        ({"local": {"number": 6}}, "views.local.number"),
        ({"local": 6}, "views.local is 6"),
    ],
)
def test_wrong_numbers_of_views_are_refused_in_words(table, words):
    with pytest.raises(Problems) as caught:
        Recipe.check({"data": {"source": "shapes"}, "predictor": {"name": "directcopy"}, "views": table})
    assert words in str(caught.value)


def test_a_recipe_without_these_keys_has_two_views_and_no_local_ones():
    recipe = Recipe.check({"data": {"source": "shapes"}, "predictor": {"name": "directcopy"}, "views": {"flip": 0.1}})
    assert (recipe.views.count, recipe.views.local.count) == (2, 0)
    assert recipe.table()["views"]["local"] == {"count": 0, "size": 96, "crop_scale": (0.05, 0.4)}


def test_a_blur_must_fit_the_local_views_too():
    config = many(Views(blur={"kernel": 17}), local=2, size=8)
    with pytest.raises(RequestError, match="kernel of 17 pixels needs local views larger than 8 pixels, not 8"):
        config.check_blur(32)
    many(Views(blur={"kernel": 17}), size=8).check_blur(32)  # there are none
    many(Views(blur={"kernel": 15}), local=2, size=8).check_blur(32)
    with pytest.raises(RequestError, match="needs views larger"):
        many(Views(blur={"kernel": 17}), local=2, size=32).check_blur(8)
