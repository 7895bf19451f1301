import io
import os
import pickle
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import EpsImagePlugin, Image

from dcp.data import image_files
from dcp.data.broken_files import broken
from dcp.data.image_files import decode
from dcp.data.image_lists import Files
from dcp.errors import RunError

RED, WHITE = [255, 0, 0], [255, 255, 255]


def pixel(image: torch.Tensor, row: int, column: int) -> list[int]:
    return image[:, row, column].tolist()


def test_the_index_of_100_000_files_takes_less_than_200_bytes_an_image():
    names = [f"train/n{i % 1000:08d}/n{i % 1000:08d}_{i:06d}_a_rather_long_name.JPEG".encode() for i in range(100_000)]
    listed = Files.listed(Path("/data"), names)
    assert listed.nbytes / len(listed) < 80
    assert len(pickle.dumps(listed)) / len(listed) < 200
    assert [listed.name(i) for i in (0, 77_777, 99_999)] == [names[0], names[77_777], names[99_999]]


def test_one_very_long_path_does_not_widen_the_index_of_the_others():
    listed = Files.listed(Path("/data"), [b"x" * 3000 + b".png"] + [b"y.png"] * 9999)
    assert listed.nbytes / len(listed) < 20


def test_subset_keeps_the_order_that_was_asked_for():
    listed = Files.listed(Path("/data"), [b"a.png", b"bb.png", b"ccc.png"])
    assert [listed.subset(torch.tensor([2, 0])).name(i) for i in range(2)] == [b"ccc.png", b"a.png"]
    assert len(listed.subset(torch.tensor([], dtype=torch.int64))) == 0


@pytest.mark.parametrize("i", [-1, 1])
def test_an_index_outside_of_the_list_is_an_error_not_another_file(i):
    with pytest.raises(IndexError, match=f"image {i} of 1"):
        Files.listed(Path("/data"), [b"a.png"]).path(i)


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.png", "1"), ("a.png", "L"), ("a.png", "LA"), ("a.png", "P"), ("a.png", "RGB"), ("a.png", "RGBA"),
        ("a.jpg", "L"), ("a.jpeg", "CMYK"), ("a.webp", "RGB"), ("a.webp", "RGBA"), ("a.bmp", "RGB"),
        ("a.gif", "P"),
        ("a.tif", "CMYK"), ("a.tiff", "L"), ("a.ppm", "RGB"), ("a.JPG", "RGB"),
        ("a.jfif", "RGB"), ("a.jpe", "L"), ("a.jp2", "RGB"), ("a.pgm", "L"), ("a.pbm", "1"), ("a.pnm", "RGB"),
    ],
)  # fmt: skip
def test_every_colour_mode_becomes_three_bytes_a_pixel(tmp_path, paint, name, mode):
    image = decode(paint(tmp_path / name, mode, size=(7, 5)))
    assert (image.dtype, tuple(image.shape)) == (torch.uint8, (3, 5, 7))
    assert image.float().std() > 10


def test_plain_pixels_arrive_unchanged_in_channel_row_column_order(tmp_path):
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert torch.equal(decode(tmp_path / "a.png"), torch.from_numpy(pixels).permute(2, 0, 1))


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1)])
def test_extreme_shapes_decode(tmp_path, paint, size):
    assert decode(paint(tmp_path / "a.png", size=size)).shape == (3, size[1], size[0])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
def test_all_eight_exif_orientations_come_out_upright(tmp_path, orientation, ending):
    upright = Image.new("RGB", (32, 16), "white")
    upright.paste((255, 0, 0), (0, 0, 16, 8))  # red top left
    back = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]  # how a camera would have stored it
    stored = upright if back is None else upright.transpose(Image.Transpose(back))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / f"a.{ending}", exif=exif)
    image = decode(tmp_path / f"a.{ending}")
    assert image.shape == (3, 16, 32)
    corners = [pixel(image, r, c) for r, c in ((2, 2), (2, 29), (13, 2), (13, 29))]
    assert np.abs(np.array(corners) - np.array([RED, WHITE, WHITE, WHITE])).max() < 12


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["L", "CMYK", "P", "RGBA"])
def test_a_tiff_of_any_mode_comes_out_upright(tmp_path, mode, orientation):
    stored = np.zeros((2, 3), dtype=np.uint8)
    stored[0, 0] = 255  # bright where the orientation says
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).convert(mode).save(tmp_path / "a.tif", exif=exif)
    image = decode(tmp_path / "a.tif")
    bright = {1: (0, 0), 2: (0, 2), 3: (1, 2), 4: (1, 0), 5: (0, 0), 6: (0, 1), 7: (2, 1), 8: (2, 0)}[orientation]
    assert tuple(image.shape) == ((3, 2, 3) if orientation < 5 else (3, 3, 2))
    assert [tuple(place) for place in (image[0] > 128).nonzero().tolist()] == [bright]


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_an_exif_block_that_cannot_be_read_leaves_the_image_as_it_lies(tmp_path):
    Image.new("RGB", (4, 2), "red").save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert decode(tmp_path / "a.jpg").shape == (3, 2, 4)


def test_transparent_parts_lie_on_white_and_half_transparent_red_is_pink(tmp_path):
    image = Image.new("RGBA", (3, 1), (255, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    image.putpixel((2, 0), (255, 0, 0, 128))
    image.save(tmp_path / "a.png")
    assert [pixel(decode(tmp_path / "a.png"), 0, c) for c in range(3)] == [RED, WHITE, [255, 127, 127]]


def test_a_transparent_palette_entry_lies_on_white(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "a.png", transparency=1)
    assert [pixel(decode(tmp_path / "a.png"), 0, c) for c in (0, 1)] == [RED, WHITE]


def test_sixteen_bit_grey_keeps_its_scale(tmp_path):
    Image.fromarray(np.array([[0, 257 * 100, 65535]], dtype=np.uint16)).save(tmp_path / "a.png")
    assert decode(tmp_path / "a.png")[0].tolist() == [[0, 100, 255]]


def test_an_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (2, 2), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert pixel(decode(tmp_path / "a.gif"), 0, 0) == RED


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "gif", "bmp", "ppm", "tif"])
def test_a_truncated_file_is_named(tmp_path, paint, ending):
    path = paint(tmp_path / f"cut.{ending}", size=(64, 64))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(RunError, match="cannot read an image") as caught:
        decode(path)
    assert caught.value.slug == "broken-image"
    assert caught.value.where == str(path)
    assert "Restore that very file, and go on with --resume" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"II*\0", b"BM"])
def test_what_is_no_image_is_named(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(RunError) as caught:
        Files.listed(tmp_path, [b"a.png"]).decode(0)
    assert str(tmp_path / "a.png") in str(caught.value)


@pytest.mark.parametrize("content", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"])
def test_a_postscript_file_that_is_called_an_image_starts_no_ghostscript(tmp_path, monkeypatch, content):
    (tmp_path / "9.png").write_bytes(content)
    ran = tmp_path / "ran"
    (tmp_path / "gs").write_text(f"#!/bin/sh\necho ran >> {ran}\n")
    (tmp_path / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    with pytest.raises(RunError, match="cannot read an image: it is no JPEG, PNG, ") as caught:
        decode(tmp_path / "9.png")
    assert caught.value.slug == "broken-image"
    assert not ran.exists()


def test_images_are_opened_in_one_place_and_as_formats_that_start_nothing():
    assert not {"EPS", "WMF", "FPX", "MIC", "PDF"} & {*image_files.formats()}
    assert {"JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "JPEG2000"} <= {*image_files.formats()}
    package = Path(image_files.__file__).parents[1]
    opening = [path.name for path in package.rglob("*.py") if "Image.open(" in path.read_text(encoding="utf-8")]
    assert opening == ["image_files.py"]


@pytest.mark.parametrize("kind", ["a FIFO", "a socket", "a device"])
def test_an_image_that_has_become_something_else_is_refused_at_once(tmp_path, put, kind):
    listed = Files.listed(tmp_path, [b"a.png"])
    put(tmp_path / "a.png", kind)
    started = time.perf_counter()
    with pytest.raises(RunError, match=f"it is {kind}, not a file"):
        listed.decode(0)
    assert time.perf_counter() - started < 1


def test_a_git_lfs_pointer_in_the_place_of_an_image_is_called_one(tmp_path):
    (tmp_path / "a.png").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(RunError, match="Git LFS pointer") as caught:
        decode(tmp_path / "a.png")
    assert "git lfs pull" in caught.value.hint


def test_a_file_that_has_gone_is_told_apart_from_a_broken_one(tmp_path):
    with pytest.raises(RunError, match="gone since the folder was listed"):
        Files.listed(tmp_path, [b"a.png"]).decode(0)


def test_a_huge_image_is_an_error_that_names_it_and_its_size(tmp_path, paint, monkeypatch):
    monkeypatch.setattr(image_files, "MAX_PIXELS", 99)
    path = paint(tmp_path / "a.png", size=(10, 10))
    with pytest.raises(RunError, match="10 x 10 pixels are more than") as caught:
        decode(path)
    assert caught.value.where == str(path)


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path):
    header = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(header, "png")  # 400 megapixels in some 50 kB
    (tmp_path / "bomb.png").write_bytes(header.getvalue())
    with pytest.raises(RunError, match=f"it has more than the {image_files.MAX_PIXELS} pixels that dcp decodes"):
        decode(tmp_path / "bomb.png")


def test_a_name_that_is_not_valid_text_still_prints():
    error = broken("/data/caf\udce9.png", OSError("x"))
    assert str(error).encode()


def test_a_name_is_escaped_in_one_way_alone():
    name = os.fsdecode(b"/data/a\xff.png")
    error = broken(name, ValueError("x"))
    assert error.where == str(error).splitlines()[0].split("(")[1][:-1] == r"/data/a\xff.png"
