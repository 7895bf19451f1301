"""Grey images of more than 8 bits: one range for all of them."""

import struct

import numpy as np
import pytest
import torch
from PIL import Image, TiffImagePlugin

from dcp.data import first_look
from dcp.data.datasets import base
from dcp.data.datasets.folder import Config
from dcp.data.image_files import decode
from dcp.data.image_lists import Files
from dcp.errors import RequestError, RunError


def save(path, values, dtype, nodata=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    if nodata is not None:
        tags[42113] = nodata
    Image.fromarray(np.array([values], dtype=dtype)).save(path, **({"tiffinfo": tags} if path.suffix == ".tif" else {}))
    return path


def grey(path, given=None):
    return decode(path, given)[0, 0].tolist()


def tiff(path, width, data, bits, sample_format=1):
    """A TIFF of one row, of a kind that Pillow reads and does not write."""
    tags = {256: width, 257: 1, 258: bits, 259: 1, 262: 1, 273: 200, 277: 1, 278: 1, 279: len(data), 339: sample_format}
    entries = b"".join(struct.pack("<HHII", key, 4, 1, value) for key, value in tags.items())
    path.write_bytes((b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries).ljust(200, b"\0") + data)


@pytest.mark.parametrize("ending", ["png", "tif", "pgm", "jp2"])
def test_sixteen_bits_keep_their_scale_whatever_else_is_in_the_image(tmp_path, ending):
    assert grey(save(tmp_path / f"a.{ending}", [0, 257 * 100, 65535], np.uint16)) == [0, 100, 255]
    assert grey(save(tmp_path / f"b.{ending}", [0, 257 * 100, 300], np.uint16)) == [0, 100, 1]


def test_twelve_bits_that_are_stored_in_a_tiff_as_twelve_are_scaled_from_twelve(tmp_path):
    tiff(tmp_path / "a.tif", 2, bytes([0xFF, 0xF8, 0x00]), 12)  # 4095, 2048
    assert grey(tmp_path / "a.tif") == [255, 128]


def test_signed_sixteen_bits_are_scaled_from_all_that_they_may_hold(tmp_path):
    tiff(tmp_path / "a.tif", 3, np.array([-32768, 0, 32767], "<i2").tobytes(), 16, sample_format=2)
    assert grey(tmp_path / "a.tif") == [0, 128, 255]


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_what_has_no_agreed_range_is_refused_until_one_is_given(tmp_path, dtype):
    path = save(tmp_path / "a.tif", [0, 1, 65535, 65536], dtype)
    with pytest.raises(RunError, match="no agreed black and white") as caught:
        decode(path)
    assert (caught.value.slug, caught.value.where) == ("no-range", str(path))
    assert 'data.range = "measured"' in caught.value.hint
    assert grey(path, (0, 65535)) == [0, 0, 255, 255]
    with pytest.raises(RequestError) as before:
        base.load(Config(root=str(tmp_path)), "pretrain")
    assert (before.value.slug, before.value.where) == ("no-range", str(path))


def test_unsigned_integers_beyond_two_to_the_31_are_not_negative(tmp_path):
    tiff(tmp_path / "a.tif", 2, np.array([0, 2**32 - 1], "<u4").tobytes(), 32)
    assert grey(tmp_path / "a.tif", (0, 2**32 - 1)) == [0, 255]


def test_missing_values_are_black_and_change_no_other(tmp_path):
    values, given = [0.0, 0.5, 1.0, 2.0, -5.0], (0.0, 1.0)
    assert grey(save(tmp_path / "a.tif", values, np.float32), given) == [0, 128, 255, 255, 0]
    odd = [*values, np.nan, np.inf, -np.inf, -9999.0, 0.7]
    path = save(tmp_path / "b.tif", odd, np.float32, nodata="0.7")
    assert grey(path, given) == [0, 128, 255, 255, 0, 0, 0, 0, 0, 0]
    assert grey(save(tmp_path / "c.tif", [65535, 65534], np.uint16, nodata="65535")) == [0, 255]
    assert grey(save(tmp_path / "d.tif", [65535, 65534], np.uint16, nodata="none")) == [255, 255]


def test_an_image_of_many_rows_is_scaled_as_one_of_few(tmp_path, monkeypatch):
    values = np.random.default_rng(0).random((100, 30), dtype=np.float32)
    Image.fromarray(values).save(tmp_path / "a.tif")
    expected = decode(tmp_path / "a.tif", (0.0, 1.0))
    monkeypatch.setattr("dcp.data.grey_levels.BLOCK", 64)
    assert torch.equal(decode(tmp_path / "a.tif", (0.0, 1.0)), expected)
    assert torch.equal(expected[0], torch.from_numpy((values.astype(np.float64) * 255).round().astype(np.uint8)))


def splits(root, dtype, *, factor=1.0):
    """Two classes; train and test are of different brightness."""
    draw = np.random.default_rng(0)
    for split, scale in (("train", factor), ("val", 3 * factor)):
        for i in range(6):
            save(root / split / f"class{i % 2}" / f"{i}.tif", draw.random(400) * scale, dtype)
    return str(root)


def test_a_measured_range_is_that_of_the_training_images_for_all_splits(tmp_path):
    config = Config(root=splits(tmp_path, np.float32), range="measured")
    pretrain, train, test = (base.load(config, split) for split in ("pretrain", "train", "test"))
    low, high = pretrain.images.grey
    assert pretrain.images.grey == train.images.grey == test.images.grey
    assert 0 <= low < 0.02 < 0.98 < high <= 1
    assert pretrain.facts()["range"] == (low, high)
    assert f"grey values from {low:g} to {high:g}, as measured, become black to white" in pretrain.remarks
    assert (test.images.decode(0) == 255).float().mean() > 0.5


def test_one_broken_pixel_leaves_a_measured_range_as_it_is(tmp_path):
    config = Config(root=splits(tmp_path, np.float32), range="measured")
    before = base.load(config, "pretrain").images.grey
    values = np.random.default_rng(9).random(400)
    values[7] = -9999
    save(tmp_path / "train/class0/0.tif", values, np.float32)
    assert np.allclose(base.load(config, "pretrain").images.grey, before, atol=0.01)


def test_a_range_that_a_run_has_recorded_is_not_measured_again(tmp_path):
    config = Config(root=splits(tmp_path, np.float32), range="measured")
    again = base.settled(config, {"range": [0.25, 0.5]})
    assert base.load(again, "test").images.grey == (0.25, 0.5)
    for other in (None, {}, {"range": None}, {"range": "x"}, {"range": [1, 0]}, {"range": [0, float("nan")]}):
        assert base.settled(config, other) == config
    fixed = Config(root=str(tmp_path), range=(0.0, 1.0))
    assert base.settled(fixed, {"range": [0.25, 0.5]}) == fixed


def test_a_range_must_rise():
    with pytest.raises(ValueError, match="does not rise from black to white"):
        Config(root="x", range=(1.0, 1.0))


def test_twelve_bits_in_sixteen_are_told_with_the_key_that_helps(tmp_path):
    root = splits(tmp_path, np.uint16, factor=4095 / 3)
    _, remark = base.load(Config(root=root), "test").remarks
    assert remark.startswith("17 of 256 grey levels are left of values from ")
    assert remark.endswith('data.range = "measured" spreads them out')
    assert len(base.load(Config(root=root, range=(0.0, 4095.0)), "test").remarks) == 1
    assert len(base.load(Config(root=splits(tmp_path / "b", np.uint16, factor=20000)), "train").remarks) == 1


def by_class(root, *highest):
    """Twenty images of 16 bits a class, the classes one after the other; each has values up to its class's."""
    for k, high in enumerate(highest):
        for i in range(20):
            save(root / f"{k}" / f"{i}.png", np.linspace(0, high, 50), np.uint16)
    return Config(root=str(root))


def test_the_images_that_are_looked_at_are_spread_over_all_classes(tmp_path):
    remark = base.load(by_class(tmp_path, 1000, 2000, 3000, 4000), "pretrain").remarks[-1]
    assert "17 of 256 grey levels are left of values from 0 to 4000 (16 images were looked at)" in remark


def test_one_bright_class_does_not_hide_that_the_others_have_few_levels(tmp_path):
    remark = base.load(by_class(tmp_path, 1000, 1000, 1000, 65000), "pretrain").remarks[-1]
    assert remark.startswith("half of the images have at most 5 of 256 grey levels, as all together have values from 0")
    assert "to 65000" in remark
    assert base.load(by_class(tmp_path / "b", 60000, 50000, 65000), "pretrain").remarks[1:] == ()


def test_an_image_that_was_never_fetched_or_has_no_range_is_found_behind_many_that_have(tmp_path):
    config = by_class(tmp_path, 60000, 60000)
    save(tmp_path / "2/0.tif", [0, 1], np.float32)
    with pytest.raises(RequestError, match="no agreed black and white"):
        base.load(config, "pretrain")


def test_who_has_asked_to_measure_is_not_advised_to_do_so(tmp_path):
    config = Config(root=splits(tmp_path / "a", np.float32), range="measured")
    for i in range(6):
        save(tmp_path / f"a/train/class{i % 2}/{i}.tif", [np.nan] * 9, np.float32)
    with pytest.raises(RequestError, match="in the training images was nothing to measure") as nothing:
        base.load(config, "pretrain")
    for i in range(6):
        save(tmp_path / f"a/train/class{i % 2}/{i}.tif", [7.0] * 9, np.float32)
    with pytest.raises(RequestError, match="are 7 everywhere: there is no range to measure") as alike:
        base.load(config, "pretrain")
    for error in (nothing.value, alike.value):
        assert error.slug == "no-range"
        assert "data.range = [0, 1]" in error.hint
        assert "measured" not in error.hint


def test_ordinary_images_have_no_range_and_nothing_is_said(tmp_path, paint):
    for mode in ("L", "RGB", "RGBA", "P", "1", "LA"):
        paint(tmp_path / f"{mode}.png", mode)
    for kind in ("dtype", "measured", (0.0, 10.0)):
        data = base.load(Config(root=str(tmp_path), range=kind), "pretrain")
        assert data.images.grey == (kind if isinstance(kind, tuple) else None)
        assert data.remarks == ("no train/ with a val/: no classes, no test images",)
        assert torch.equal(data.images.decode(1), decode(data.images.path(1)))


def test_a_first_look_passes_over_what_cannot_be_read_and_looks_at_few(tmp_path, paint, monkeypatch):
    for i in range(200):
        (tmp_path / f"{i:03}.png").write_bytes(b"no image")
    opened, asked = first_look.opened, []
    monkeypatch.setattr(first_look, "opened", lambda path: asked.append(path) or opened(path))
    files = Files.listed(tmp_path, [f"{i:03}.png".encode() for i in range(200)])
    assert first_look.look(files) == ()
    assert len({*asked}) == first_look.LOOKED_AT
    assert first_look.measured(files) is None
