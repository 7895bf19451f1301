"""Single images as bytes: crops of files, and the middle that evaluation sees."""

import pytest
import torch
from torchvision.transforms.v2 import functional as tv

from dcp.data.views.files import crop_file, resize_center


def photo(height, width):
    coarse = torch.rand(3, 6, 6, generator=torch.Generator().manual_seed(0))
    return (tv.resize(coarse, [height, width], antialias=True) * 255).round().to(torch.uint8)


@pytest.mark.parametrize(
    "box", [(0, 0, 300, 200), (17, 31, 150, 149), (100, 50, 20, 120), (299, 199, 1, 1), (5, 9, 64, 64)]
)
@pytest.mark.parametrize("interleaved", [False, True])
def test_a_crop_of_a_file_equals_torchvisions_of_floats_to_the_bytes_rounding(box, interleaved):
    image = photo(300, 200)
    expected = tv.resized_crop(image.float(), *box, size=[64, 64], antialias=True)
    if interleaved:  # as decoders give them
        image = image.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    cut = crop_file(image, box, 64)
    assert cut.shape == (3, 64, 64)
    assert cut.dtype == torch.uint8
    assert cut.is_contiguous()
    assert (cut - expected).abs().max() <= 1.01


def test_a_box_of_the_views_size_is_cut_out_exactly_from_a_file():
    image = photo(90, 80)
    assert torch.equal(crop_file(image, (7, 9, 64, 64), 64), image[:, 7:71, 9:73])


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [(50, 80, 32), (500, 333, 224), (33, 31, 32), (20, 70, 32), (96, 96, 64), (37, 200, 37)],
)
def test_the_middle_is_torchvisions_resize_and_center_crop(height, width, size):
    image = photo(height, width)
    resized = image if min(height, width) == size else tv.resize(image, [round(size / 0.875)], antialias=True)
    expected = tv.center_crop(resized, [size, size])
    assert (resize_center(image, size).int() - expected.int()).abs().max() <= 1


def test_images_of_the_right_short_side_are_only_cropped():
    square, wide = photo(32, 32), photo(32, 45)
    assert torch.equal(resize_center(square, 32), square)
    assert torch.equal(resize_center(wide, 32), wide[:, :, 6:38])


def test_a_batch_gives_what_its_images_give_alone():
    batch = torch.stack([photo(50, 70), photo(50, 70).flip(2)])
    middle = resize_center(batch, 32)
    assert middle.shape == (2, 3, 32, 32)
    assert all(torch.equal(resize_center(image, 32), alone) for image, alone in zip(batch, middle, strict=True))


def resized_whole(image, size):
    """The middle of the whole image resized, however long it is."""
    height, width = image.shape[1:]
    target = round(size / 0.875)
    sides = [int(target * side / min(height, width)) for side in (height, width)]
    whole = torch.nn.functional.interpolate(image[None], size=sides, mode="bilinear", antialias=True)[0]
    top, left = (round((side - size) / 2) for side in sides)
    return whole[:, top : top + size, left : left + size]


def test_ordinary_images_keep_their_bytes():
    draw = torch.Generator().manual_seed(0)
    for _ in range(200):
        short, ratio, size = (
            torch.rand(3, generator=draw) * torch.tensor([90, 15, 40]) + torch.tensor([2, 1, 8])
        ).tolist()
        sides = [int(short), int(int(short) * ratio)]
        height, width = sides if ratio % 1 < 0.5 else sides[::-1]
        image = torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=draw)
        if int(short) != int(size):
            assert torch.equal(resize_center(image, int(size)), resized_whole(image, int(size))), (height, width, size)


@pytest.mark.parametrize(("height", "width"), [(3, 1000), (3, 1001), (1000, 4), (999, 4), (1, 300), (2, 77)])
def test_the_middle_of_a_thin_image_is_where_it_was(height, width):
    coarse = torch.rand(3, 1, 40, generator=torch.Generator().manual_seed(0))
    image = (tv.resize(coarse, [min(height, width), max(height, width)], antialias=True) * 255).to(torch.uint8)
    image = image.mT if height > width else image
    assert (resize_center(image, 32).int() - resized_whole(image, 32).int()).abs().max() <= 8


def test_a_thin_image_costs_no_more_than_another(monkeypatch):
    made, interpolate = [], torch.nn.functional.interpolate

    def counted(images, **options):
        resized = interpolate(images, **options)
        made.append(resized.numel())
        return resized

    monkeypatch.setattr(torch.nn.functional, "interpolate", counted)
    for shape in ((3, 1, 30_000), (3, 30_000, 1), (2, 3, 2, 10_001)):
        assert resize_center(torch.zeros(shape, dtype=torch.uint8), 224).shape[-2:] == (224, 224)
    assert max(made) <= 2 * 3 * 256 * 256 * 17
