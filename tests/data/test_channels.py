"""Files of any number of channels, of 8 or 16 bits: what becomes of their values, and what is refused."""

import struct
import sys
import threading
import tracemalloc
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dcp.data import channels, given
from dcp.data.datasets import base
from dcp.data.datasets.folder import Config
from dcp.data.image_lists import Files
from dcp.data.layout import RGB, Layout
from dcp.errors import RequestError, RunError

DEEP = {1: Layout(1, 16), 2: Layout(2, 16), 3: Layout(3, 16), 4: Layout(4, 16), 5: Layout(5, 16)}


def noise(*shape: int, dtype: type = np.uint16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def png(path: Path, values: np.ndarray, kind: int) -> Path:
    """A PNG of 16 bits in colour (2), grey and alpha (4), or both (6), which Pillow does not write."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    parts = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)), (b"IDAT", zlib.compress(rows)))
    data = b"\x89PNG\r\n\x1a\n"
    for name, content in (*parts, (b"IEND", b"")):
        data += struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    path.write_bytes(data)
    return path


def saved(path: Path, values: np.ndarray, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, values)
    elif path.suffix == ".tif" and options:
        pytest.importorskip("tifffile").imwrite(path, values, **options)
    else:
        Image.fromarray(values).save(path)
    return path


def read(path: Path, layout: Layout, scale: tuple[float, float] | None = None) -> np.ndarray:
    """[h, w, C]."""
    pixels = channels.pixels(path, scale, layout)
    assert (pixels.dtype, pixels.shape[0]) == (layout.dtype, layout.channels)
    return pixels.permute(1, 2, 0).numpy()


BANDS = {"photometric": "minisblack", "planarconfig": "contig"}
PLANES = {"photometric": "minisblack", "planarconfig": "separate"}


@pytest.mark.parametrize("ending", ["png", "tif", "npy"])
def test_grey_of_16_bits_keeps_every_bit(tmp_path, ending):
    values = noise(5, 7)
    assert np.array_equal(read(saved(tmp_path / f"a.{ending}", values), DEEP[1])[..., 0], values)
    assert np.array_equal(read(tmp_path / f"a.{ending}", DEEP[3]), values[..., None].repeat(3, 2))


@pytest.mark.parametrize("ending", ["png", "tif", "npy", "bmp"])
def test_grey_of_8_bits_becomes_the_same_share_of_white(tmp_path, ending):
    values = noise(5, 7, dtype=np.uint8)
    path = saved(tmp_path / f"a.{ending}", values)
    assert np.array_equal(read(path, DEEP[1])[..., 0], values * np.uint16(257))
    assert np.array_equal(read(path, Layout(1, 8))[..., 0], values)
    assert np.array_equal(read(path, DEEP[1], (0, 10))[..., 0], values * np.uint16(257))  # the range is for more bits


def test_a_range_spreads_its_values_over_all_levels(tmp_path):
    path = saved(tmp_path / "a.png", np.array([[0, 30_000, 30_500, 31_000, 65_535]], np.uint16))
    assert read(path, DEEP[1], (30_000, 31_000)).flatten().tolist() == [0, 0, 32_768, 65_535, 65_535]
    assert read(path, Layout(1, 8), (30_000, 31_000)).flatten().tolist() == [0, 0, 128, 255, 255]
    assert read(path, Layout(1, 8)).flatten().tolist() == [0, 117, 119, 121, 255]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 16])
@pytest.mark.parametrize("kind", ["npy", "bands", "planes", "compressed"])
def test_arrays_and_tiffs_of_any_number_of_channels_are_what_was_saved(tmp_path, dtype, count, kind):
    values = noise(9, 20, count, dtype=dtype)
    path, layout = tmp_path / ("a.npy" if kind == "npy" else "a.tif"), Layout(count, 8 * dtype().itemsize)
    if layout == RGB:
        pytest.skip("bytes of red, green and blue are as ever")
    if count == 1:
        saved(path, values) if kind == "npy" else saved(path, values[..., 0], photometric="minisblack")
    elif kind == "planes":
        saved(path, np.moveaxis(values, -1, 0), **PLANES)
    else:
        saved(path, values, **BANDS, **({"compression": "zlib"} if kind == "compressed" else {}))
    assert np.array_equal(read(path, layout), values)


def test_arrays_may_lie_by_columns_and_in_the_other_byte_order(tmp_path):
    values = noise(6, 4, 5)
    np.save(tmp_path / "a.npy", np.asfortranarray(values))
    np.save(tmp_path / "b.npy", values.astype(">u2"))
    for name in ("a.npy", "b.npy"):
        assert np.array_equal(read(tmp_path / name, DEEP[5]), values)


def test_pages_and_named_channels_of_a_tiff_are_channels(tmp_path):
    values = noise(5, 8, 9)
    saved(tmp_path / "pages.tif", values, photometric="minisblack", metadata=None)
    saved(tmp_path / "named.tif", values, photometric="minisblack", metadata={"axes": "CYX"}, imagej=True)
    saved(tmp_path / "ome.tif", values, photometric="minisblack", metadata={"axes": "CYX"}, ome=True)
    for name in ("pages.tif", "named.tif", "ome.tif"):
        assert np.array_equal(read(tmp_path / name, DEEP[5]), np.moveaxis(values, 0, -1))
    assert np.array_equal(read(tmp_path / "pages.tif", DEEP[1])[..., 0], values[0])  # of several pages the first


def test_colours_become_grey_by_their_luma(tmp_path):
    values = noise(5, 7, 3, dtype=np.uint8)
    luma = np.array(Image.fromarray(values).convert("L"))
    for path in (saved(tmp_path / "a.png", values), saved(tmp_path / "a.npy", values)):
        assert np.abs(read(path, Layout(1, 8))[..., 0].astype(int) - luma).max() <= 1
    wide = saved(tmp_path / "a.tif", values * np.uint16(257), photometric="rgb")
    assert np.abs(read(wide, DEEP[1])[..., 0] - luma * 257.0).max() <= 129
    clear = Image.new("LA", (4, 4), (0, 0))  # black where nobody sees it
    clear.save(tmp_path / "b.png")
    assert read(tmp_path / "b.png", DEEP[1]).min() == 65_535


@pytest.mark.parametrize(("mode", "count"), [("LA", 2), ("RGBA", 4), ("CMYK", 4)])
def test_files_of_two_and_four_channels_are_taken_as_they_lie(tmp_path, mode, count):
    values = noise(5, 7, count, dtype=np.uint8)
    Image.frombytes(mode, (7, 5), values.tobytes()).save(tmp_path / f"a.{'tif' if mode == 'CMYK' else 'png'}")
    (path,) = tmp_path.iterdir()
    assert np.array_equal(read(path, Layout(count, 8)), values)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_of_any_channels_are_turned_as_others_are(tmp_path, orientation):
    values = noise(5, 7, dtype=np.uint8)
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(values).save(tmp_path / "a.png", exif=exif)
    expected = channels.pixels(tmp_path / "a.png", None, RGB)[:1]
    assert torch.equal(channels.pixels(tmp_path / "a.png", None, Layout(1, 8)), expected)
    saved(tmp_path / "b.tif", noise(5, 7, 5), **BANDS, extratags=[(274, "H", 1, orientation, True)])
    saved(tmp_path / "c.tif", noise(5, 7, 5), **BANDS)
    turned = channels.UPRIGHT.get(orientation, lambda a: a)(read(tmp_path / "c.tif", DEEP[5]))
    assert np.array_equal(read(tmp_path / "b.tif", DEEP[5]), turned)


def test_bytes_of_red_green_and_blue_are_what_they_were(tmp_path):
    values = noise(5, 7, 3, dtype=np.uint8)
    path = saved(tmp_path / "a.png", values)
    assert np.array_equal(read(path, RGB), values)
    assert np.array_equal(read(path, DEEP[3]), values * np.uint16(257))
    grey = saved(tmp_path / "b.png", noise(5, 7))
    levels = read(grey, RGB)[..., 0]
    assert np.array_equal(levels, (noise(5, 7) / 257).round().astype(np.uint8))


BAD = {
    "channels first": (lambda p: saved(p / "a.npy", noise(5, 8, 9)), DEEP[5], "channels first: save numpy.moveaxis"),
    "either": (lambda p: saved(p / "a.npy", noise(5, 8, 5)), DEEP[5], r"may be \[H, W, C\] or \[C, H, W\]"),
    "many dimensions": (lambda p: saved(p / "a.npy", noise(2, 8, 9, 5)), DEEP[5], r"not \[H, W\] or \[H, W, C\]"),
    "texts": (lambda p: saved(p / "a.npy", np.array([["a", "b"]])), DEEP[1], "not numbers"),
    "objects": (lambda p: saved(p / "a.npy", np.array([[{}, {}]])), DEEP[1], "not numbers"),
    "structures": (lambda p: saved(p / "a.npy", np.zeros((4, 4), [("a", "u1")])), DEEP[1], "not numbers"),
    "empty": (lambda p: saved(p / "a.npy", noise(0, 9)), DEEP[1], "9 x 0 pixels"),
    "floats": (lambda p: saved(p / "a.npy", np.zeros((4, 4))), DEEP[1], "floating-point numbers, and these have no"),
    "four": (lambda p: saved(p / "a.npy", noise(8, 9, 4)), DEEP[5], "it has 4 channels, and data.channels is 5"),
    "one": (lambda p: saved(p / "a.png", noise(8, 9)), DEEP[5], "it has 1 channel, and data.channels is 5"),
    "colours": (lambda p: saved(p / "a.png", noise(8, 9, 3, dtype=np.uint8)), DEEP[2], "it has 3 channels"),
    "slices": (
        lambda p: saved(p / "a.tif", noise(5, 8, 9), photometric="minisblack", metadata={"axes": "ZYX"}),
        DEEP[5],
        "its axes are ZYX",
    ),
    "16 bits in colour": (lambda p: png(p / "a.png", noise(4, 4, 3), 2), DEEP[3], "of its 16 bits Pillow reads 8"),
    "16 bits and alpha": (lambda p: png(p / "a.png", noise(4, 4, 2), 4), DEEP[1], "of its 16 bits Pillow reads 8"),
    "text": (lambda p: (p / "a.png").write_text("no image"), DEEP[1], "it is no JPEG"),
}


@pytest.mark.parametrize("bad", BAD)
def test_what_is_no_such_image_is_one_message_that_names_the_file(tmp_path, bad):
    make, layout, words = BAD[bad]
    make(tmp_path)
    (path,) = tmp_path.iterdir()
    listed = replace(Files.listed(tmp_path, [path.name.encode()]), layout=layout)
    with pytest.raises(RunError, match=words) as caught:
        listed.decode(0)
    assert caught.value.where == str(path)


def test_what_is_cut_short_or_promises_too_much_is_refused_without_taking_memory(tmp_path):
    saved(tmp_path / "a.npy", noise(100, 100))
    whole = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(whole[:5000])
    (tmp_path / "b.npy").write_bytes(whole.replace(b"(100, 100)", b"(9**9, 99)"))
    (tmp_path / "c.npy").write_bytes(whole.replace(b"(100, 100), ", b"(99999,9999)"))
    for name, words in (("a", "truncated: "), ("b", "header of this array"), ("c", "are more than the 89478485")):
        with pytest.raises(ValueError, match=words):
            channels.pixels(tmp_path / f"{name}.npy", None, DEEP[1])


def peak_while_refused(path: Path, layout: Layout, words: str) -> int:
    """The most bytes that Python and NumPy took while a file was refused."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=words):
            channels.pixels(path, None, layout)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("ending", ["tif", "npy"])
def test_values_of_other_channels_are_refused_before_they_are_decoded(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    if ending == "tif":
        saved(path, np.zeros((12, 500, 500)), photometric="minisblack", compression="zlib")
    else:
        np.save(path, np.zeros((500, 500, 12)))
    assert peak_while_refused(path, DEEP[4], "it has 12 channels") < 4_000_000  # decoded they are 24 MB


def test_values_that_take_more_memory_than_is_sensible_are_refused_before_they_are_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr("dcp.data.array_files.LARGEST", 1_000_000)
    saved(tmp_path / "a.tif", np.zeros((500, 500, 4)), **BANDS, compression="zlib")
    saved(tmp_path / "b.npy", np.zeros((500, 500, 4)))
    small = np.zeros((16, 16, 4), dtype=np.uint16)
    saved(tmp_path / "c.tif", small, **BANDS, compression="zlib", tile=(1024, 1024))
    for name, taken in (("a.tif", "8,000,000"), ("b.npy", "8,000,000"), ("c.tif", "8,388,608")):
        words = f"its values take {taken} bytes, more than the 1,000,000"
        assert peak_while_refused(tmp_path / name, DEEP[4], words) < 4_000_000


def test_a_reader_decodes_a_tiff_without_further_threads(tmp_path, monkeypatch):
    values = noise(64, 64, 5)
    saved(tmp_path / "a.tif", values, **BANDS, compression="zlib", rowsperstrip=4)
    saved(tmp_path / "b.tif", values.transpose(2, 0, 1), **PLANES, compression="zlib", rowsperstrip=4)
    started = []
    start = threading.Thread.start
    monkeypatch.setattr("tifffile.tifffile.TIFF.MAXWORKERS", 4)
    monkeypatch.setattr(threading.Thread, "start", lambda thread: (started.append(thread), start(thread)))
    for name in ("a", "b"):
        assert (read(tmp_path / f"{name}.tif", DEEP[5]) == values).all()
    assert started == []


def test_without_tifffile_the_message_says_how_to_get_it(tmp_path, monkeypatch):
    saved(tmp_path / "a.tif", noise(8, 9, 5), **BANDS)
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(RequestError, match="several channels") as caught:
        base.load(Config(root=str(tmp_path), channels=5), "pretrain")
    assert (caught.value.slug, caught.value.hint) == ("missing-package", "pip install 'dcp[tiff]'")
    assert caught.value.where == str(tmp_path / "a.tif")


def test_npy_files_are_images_where_more_than_bytes_of_colours_are_wanted(tmp_path):
    saved(tmp_path / "train/a/1.npy", noise(8, 9))
    saved(tmp_path / "train/b/2.png", noise(8, 9, dtype=np.uint8))
    saved(tmp_path / "val/a/3.npy", noise(8, 9))
    saved(tmp_path / "val/b/4.npy", noise(8, 9))
    grey = Config(root=str(tmp_path), channels=1)
    assert grey.labelled()
    assert [len(base.load(grey, split)) for split in ("pretrain", "train", "test")] == [2, 2, 2]
    with pytest.raises(RequestError, match="no images"):
        base.load(Config(root=str(tmp_path)), "pretrain")
    assert len(base.load(Config(root=str(tmp_path / "train")), "pretrain")) == 1


def test_an_image_of_other_channels_is_refused_before_training_or_passed_over_if_that_is_said(tmp_path):
    for i in range(3):
        saved(tmp_path / f"{i}.npy", noise(8, 9, 5))
    odd = saved(tmp_path / "odd.npy", noise(8, 9, 4))
    with pytest.raises(RequestError, match="it has 4 channels, and data") as caught:
        base.load(Config(root=str(tmp_path), channels=5), "pretrain")
    assert (caught.value.slug, caught.value.where) == ("wrong-channels", str(odd))
    data = base.load(Config(root=str(tmp_path), channels=5, broken="skip"), "pretrain")
    assert torch.equal(data.images.decode(3), data.images.decode(0))
    assert data.images.in_place == {3: 0}


def test_a_range_is_measured_over_all_channels_and_values_that_need_none_are_told(tmp_path):
    for i in range(4):
        saved(tmp_path / f"{i}.npy", (30_000 + noise(30, 30, 2) % 500).astype(np.uint16))
    (told,) = base.load(Config(root=str(tmp_path), channels=2), "pretrain").remarks[1:]
    assert told.startswith("values take 0.76% of the range from black to white (4 images)")
    data = base.load(Config(root=str(tmp_path), channels=2, range="measured"), "pretrain")
    low, high = data.images.grey
    assert (abs(low - 30_000) < 3, abs(high - 30_499) < 3) == (True, True)
    assert data.facts()["range"] == (low, high)
    assert data.images.decode(0).float().std() > 10_000
    for i in range(4):
        saved(tmp_path / f"{i}.npy", np.full((30, 30, 2), 7, np.uint16))
    with pytest.raises(RequestError, match="7 everywhere"):
        base.load(Config(root=str(tmp_path), channels=2, range="measured"), "pretrain")


def test_colours_and_few_bits_are_told_of(tmp_path):
    saved(tmp_path / "a.png", noise(8, 9, 3, dtype=np.uint8))
    saved(tmp_path / "b.png", noise(8, 9, dtype=np.uint8))
    remarks = base.load(Config(root=str(tmp_path), channels=1), "pretrain").remarks[1:]
    assert remarks == (
        "1 of 2 images that were looked at are in colour, and become grey by their luma",
        "all 2 images that were looked at have values of 8 bits: data.depth = 8 is enough, and faster",
    )


def test_images_that_are_given_become_what_files_of_them_become(tmp_path):
    values = noise(9, 7, 5)
    taken = [given.tensor(one, DEEP[5], None) for one in (values, torch.from_numpy(np.moveaxis(values, -1, 0).copy()))]
    taken.append(given.tensor(saved(tmp_path / "a.npy", values), DEEP[5], None))
    assert all(torch.equal(one, taken[0]) for one in taken)
    assert torch.equal(given.tensor(values[None], DEEP[5], None)[0], taken[0])
    grey, scale = noise(5, 7), (100.0, 9000.0)
    expected = channels.pixels(saved(tmp_path / "b.png", grey), scale, DEEP[1])
    for one in (grey, grey[..., None], Image.open(tmp_path / "b.png"), torch.from_numpy(grey)[None]):
        assert torch.equal(given.tensor(one, DEEP[1], scale), expected)
    small = noise(5, 7, dtype=np.uint8)
    assert torch.equal(given.tensor(small, DEEP[1], scale)[0].int(), torch.from_numpy(small).int() * 257)
    assert torch.equal(given.tensor(grey, RGB, None)[0], channels.pixels(tmp_path / "b.png", None, RGB)[0])


OTHERS = [noise(5, 7), noise(5, 7, 4), noise(5, 5, 7), np.zeros((5, 7, 5)), Image.new("L", (4, 4))]


@pytest.mark.parametrize("one", OTHERS)
def test_other_images_are_refused_with_what_is_taken(one):
    with pytest.raises(RequestError) as caught:
        given.tensor(one, DEEP[5], None)
    assert caught.value.slug == "bad-image"
    assert "a NumPy array [H, W, 5] of uint8 or uint16, a tensor [5, H, W]" in caught.value.hint
