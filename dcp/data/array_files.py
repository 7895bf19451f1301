"""Files of values that Pillow does not read as they are: NumPy's .npy, and TIFFs of several channels or of 16 bits.

    .npy    [H, W] or [H, W, C], uint8 or uint16; other numbers where `data.range` says which are black and white
    TIFF    by tifffile (extra `tiff`): its first series, channels as samples (YXS, SYX), as an axis of their own (CYX)
            or as pages of one size without another meaning; slices, times and colours in channels are refused

What a header promises is held against the limits before memory is taken for it; nothing is unpickled, and no other file
is opened, whatever a header names.
"""

import logging
import os
from collections.abc import Sequence
from math import prod
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from dcp.data.grey_levels import NODATA, Range
from dcp.data.image_files import SMALLER, check_size
from dcp.data.layout import MOST
from dcp.errors import missing_package

NPY = b"\x93NUMPY"
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
ORIENTATION, PHOTOMETRIC, COLOUR = 274, 262, 2  # tags of a TIFF; the photometric interpretation of red, green and blue
LARGEST = 2**30  # bytes of an image's values: three channels of float32 at the most pixels that are decoded
PAGES = "IQ"  # what tifffile calls an axis of pages that mean nothing to it


class WrongChannels(ValueError):
    """A file has another number of channels than the recipe says."""


class Raw(NamedTuple):
    """What is in a file, before its values become levels."""

    values: npt.NDArray[Any]  # [h, w, c]
    scale: Range | None  # the values that become black and white without `data.range`; None where nobody can say
    missing: object = None  # what those are that are not there; anything that is no number for none
    orientation: int = 1  # EXIF's
    colour: bool = False  # whether the channels are red, green and blue

    @property
    def deep(self) -> bool:
        """Whether values have more than 8 bits."""
        return self.values.dtype != np.uint8


def own_range(dtype: np.dtype[Any], bits: int = 0) -> Range | None:
    """The ends of a type of 16 bits or less, of which so many `bits` are used; None of others.

    >>> own_range(np.dtype("uint16")), own_range(np.dtype("uint16"), 12), own_range(np.dtype("float32"))
    ((0.0, 65535.0), (0.0, 4095.0), None)
    """
    if dtype.kind not in "ui" or dtype.itemsize > 2:
        return None
    if dtype.kind == "u" and bits:
        return 0.0, float(2**bits - 1)
    return float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)


def from_npy(file: BinaryIO, channels: int) -> Raw:
    """The array in an open .npy file.

    Raises:
        WrongChannels: it has others.
        ValueError: it holds no image, more than is decoded, or less than its header promises.
    """
    headers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        shape, by_columns, dtype = headers[np.lib.format.read_magic(file)](file)
    except Exception:  # whatever stands in it
        raise ValueError("the header of this array cannot be read") from None
    _check_type(dtype)
    height, width, count = _of_image(shape, channels)
    check_size(height, width)
    check_channels(count, channels, colour=count == 3)
    _check_bytes(shape, dtype)
    start = file.tell()
    there, promised = file.seek(0, os.SEEK_END) - start, prod(shape) * dtype.itemsize
    if there < promised:
        raise ValueError(f"it is truncated: {there} of {promised} bytes")
    file.seek(start)
    values = np.frombuffer(file.read(promised), dtype=dtype).reshape(shape, order="F" if by_columns else "C")
    values = values.astype(dtype.newbyteorder("="), copy=False)
    return Raw(values.reshape(height, width, count), own_range(values.dtype), colour=count == 3)


def check_channels(count: int, wanted: int, *, colour: bool) -> None:
    """WrongChannels where so many channels are neither as many as are wanted, nor grey for colours, nor the reverse.

    Args:
        count: of a file.
        wanted: `data.channels`.
        colour: whether those of the file are red, green and blue.
    """
    if count != wanted and not (count == 1 and wanted == 3) and not (count == 3 and wanted == 1 and colour):
        channels = f"{count} channel{'' if count == 1 else 's'}"
        raise WrongChannels(f"it has {channels}, and data.channels is {wanted}")


def _check_bytes(shape: Sequence[int], dtype: np.dtype[Any]) -> None:
    """ValueError for values that would take more memory than `LARGEST`."""
    if (taken := prod(shape) * dtype.itemsize) > LARGEST:
        raise ValueError(f"its values take {taken:,} bytes, more than the {LARGEST:,} that dcp decodes; {SMALLER}")


def _check_type(dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "uif":
        raise ValueError(f"its values are {dtype}, and not numbers: uint8 or uint16")


def _of_image(shape: tuple[int, ...], channels: int) -> tuple[int, int, int]:
    """Height, width and channels of an array [H, W] or [H, W, C]; ValueError for others."""
    if len(shape) == 2:
        return *shape, 1
    if len(shape) != 3:
        raise ValueError(f"it is an array of shape {list(shape)}, not [H, W] or [H, W, C]")
    first, last = shape[0] == channels, shape[-1] == channels
    if first and last and channels > 1:
        raise ValueError(f"an array of shape {list(shape)} may be [H, W, C] or [C, H, W]: cut or pad its sides")
    if (first and not last) or (shape[0] <= MOST < min(shape[1:])):
        raise ValueError(f"its shape {list(shape)} has the channels first: save numpy.moveaxis(a, 0, -1), [H, W, C]")
    return shape


def from_tiff(file: BinaryIO, channels: int) -> Raw:
    """The first series of an open TIFF.

    Raises:
        MissingExtra: tifffile is not installed.
        WrongChannels: it has others.
        ValueError: it holds no image, or more than is decoded.
        Exception: whatever tifffile meets.
    """
    try:
        import tifffile
    except ImportError:
        what = "this TIFF has several channels, or values that Pillow does not read; tifffile does, and is not here"
        raise missing_package(what, "tiff") from None
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it finds odd it would print for each view
    with tifffile.TiffFile(file, _multifile=False) as opened:
        if not opened.series:
            raise ValueError("it holds no image")
        series, page = opened.series[0], opened.pages.first
        sides = [(axis, n) for axis, n in zip(series.axes, series.shape, strict=True) if n != 1 or axis in "YX"]
        axes, shape = "".join(axis for axis, _ in sides), [n for _, n in sides]
        if axes not in ("YX", "YXS", "SYX", "YXC", "CYX", *(f"{axis}YX" for axis in PAGES)):
            raise ValueError(f"its axes are {series.axes} of {list(series.shape)}: it is more than one image")
        count = prod(shape) // max(1, shape[axes.index("Y")] * shape[axes.index("X")])
        check_size(shape[axes.index("Y")], shape[axes.index("X")])
        if count != channels and count > MOST:
            raise ValueError(f"it has {count} channels or pages, and {MOST} channels are the most")
        colour, bits = page.photometric == COLOUR, page.bitspersample
        check_channels(count, channels, colour=colour)
        _check_type(np.dtype(series.dtype))
        for part in (shape, page.chunks):  # a strip or a tile may be larger than the image
            _check_bytes(part, np.dtype(series.dtype))
        values = np.asarray(series.asarray(maxworkers=1)).reshape(shape)  # a reader is one of many, each with one core
        tags = {number: page.tags[number].value for number in (ORIENTATION, NODATA) if number in page.tags}
    if axes == "YX":
        values = values[..., None]
    elif axes.endswith("YX"):
        values = np.moveaxis(values, 0, -1)
    orientation = tags.get(ORIENTATION, 1)
    scale = own_range(values.dtype, bits if isinstance(bits, int) and bits < 16 else 0)
    return Raw(values, scale, tags.get(NODATA), orientation if isinstance(orientation, int) else 1, colour)


def pillow_reads(samples: object, bits: object, pages: int, bands: int, channels: int) -> bool:
    """Whether Pillow reads a TIFF as it is: grey of any depth, or colours of 8 bits.

    Args:
        samples: tag 277.
        bits: tag 258.
        pages: how many there are.
        bands: that Pillow has.
        channels: that are wanted; as many pages are that.
    """
    if samples in (None, 1):
        return channels == 1 or pages != channels
    deepest = max(bits) if isinstance(bits, tuple) and bits else bits
    return isinstance(deepest, int) and deepest <= 8 and samples == bands
