"""Images of any number of channels, of 8 or 16 bits: how a file becomes uint8 or uint16 [C, h, w].

With 3 channels of 8 bits, which is what `data.channels` and `data.depth` are without a word, a file becomes RGB as
`dcp.data.image_files` says. Otherwise:

    1 channel      grey as it is; colours by their luma, ITU-R 601-2; transparent parts lie on white
    3 channels     grey three times; colours as they are, transparent parts on white
    other numbers  files of as many, as they lie: grey with alpha is 2, RGBA and CMYK are 4, TIFF and .npy have any

Values of 8 bits keep their levels, and in 16 bits v becomes 257 v, so that both are the same shares of white. Values of
more bits become levels by one range (`dcp.data.grey_levels`): with 16 bits uint16 stays as it is, without `data.range`.
The first frame counts; a TIFF of as many pages as channels has a channel in each (1 channel: the first page).
"""

import os
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from dcp.data import grey_levels, image_files
from dcp.data.array_files import NPY, TIFF, Raw, check_channels, from_npy, from_tiff, pillow_reads
from dcp.data.grey_levels import HINT, NO_RANGE, Range
from dcp.data.image_files import Source, opened, orientation, rgb
from dcp.data.layout import RGB, Layout
from dcp.data.regular_files import open_regular
from dcp.errors import RunError

LUMA = (0.299, 0.587, 0.114)  # ITU-R 601-2, as Pillow has it
SAMPLES, BITS = 277, 258  # tags of a TIFF

UPRIGHT: dict[int, Callable[[npt.NDArray[Any]], npt.NDArray[Any]]] = {  # EXIF orientation -> what turns [h, w, c]
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a[::-1].swapaxes(0, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a[:, ::-1].swapaxes(0, 1),
}


def pixels(source: Source, given: Range | None, layout: Layout) -> Tensor:
    """One image as uint8 or uint16 [C, h, w], upright; the module says how.

    Args:
        source: a file by its path, or open.
        given: range of values of more than 8 bits; None for the kind's own.
        layout: what it becomes.

    Raises:
        MissingExtra: a package that reads it is not installed.
        RunError: "no-range".
        Exception: as `read`.
    """
    if layout == RGB:
        return image_files.pixels(source, given)
    with open_regular(source) if isinstance(source, (str, os.PathLike)) else nullcontext(source) as file:
        return torch.from_numpy(levels(read(file, layout), given, layout)).permute(2, 0, 1)


def read(file: BinaryIO, layout: Layout) -> Raw:
    """What is in an open file, upright, with as many channels as are wanted, or one where three are.

    Raises:
        WrongChannels: it has others.
        ValueError: it is no image, or too large a one; colours of 16 bits that Pillow would cut to 8.
        Exception: whatever the parsers meet.
    """
    begins = file.read(len(NPY))
    file.seek(0)
    if begins == NPY:
        raw = from_npy(file, layout.channels)
    elif begins.startswith(TIFF) and not _is_pillows(file, layout.channels):
        file.seek(0)
        raw = from_tiff(file, layout.channels)
    else:
        file.seek(0)
        with opened(file) as image:
            if layout.bits == 16 and _is_cut(image):
                raise ValueError("of its 16 bits Pillow reads 8, as it is not grey: save it as TIFF, or data.depth = 8")
            image.load()
            raw = from_pillow(image, layout)
    return fitting(raw, layout)


def _is_pillows(file: BinaryIO, channels: int) -> bool:
    try:
        with opened(file) as image:
            tags, pages = getattr(image, "tag_v2", {}), getattr(image, "n_frames", 1) if channels > 1 else 1
            return pillow_reads(tags.get(SAMPLES), tags.get(BITS), pages, len(image.getbands()), channels)
    except ValueError:  # a kind that it does not know
        return False


def from_pillow(image: Image.Image, layout: Layout) -> Raw:
    """What is in an image that has been loaded; its channels may be others than are wanted."""
    if grey_levels.is_deep(image):
        scale, missing = grey_levels.own_range(image), grey_levels.missing_value(image)
        return Raw(grey_levels.values(image)[..., None], scale, missing, orientation(image))
    if image.mode == "L" and not image.has_transparency_data:
        return Raw(np.array(image)[..., None], None, orientation=orientation(image))
    if layout.channels in (1, 3):  # on white, and turned
        grey = image.mode in ("1", "L", "LA", "La")
        upright = rgb(image, None)
        upright = upright.convert("L") if grey or layout.channels == 1 else upright
        values = np.array(upright)
        return Raw(values.reshape(*values.shape[:2], -1), None, colour=not grey)
    image = image.convert("RGB") if image.mode == "P" else image
    values = np.array(image)
    return Raw(values.reshape(*values.shape[:2], -1), None, orientation=orientation(image))


def _is_cut(image: Image.Image) -> bool:
    """Whether an image that has not been loaded has more bits than Pillow gives; of JPEG 2000 nobody can say."""
    stored = (
        [getattr(tile, "args", None) for tile in getattr(image, "tile", [])] if image.format in ("PNG", "PPM") else []
    )
    deep = any(str(args).endswith(";16B") or (isinstance(args, tuple) and args[-1] > 255) for args in stored)
    return deep and not grey_levels.is_deep(image)


def fitting(raw: Raw, layout: Layout) -> Raw:
    """The same upright, with as many channels as are wanted: colours may become grey, grey stays for three.

    Raises:
        WrongChannels: it has others.
    """
    values, count, wanted = raw.values, raw.values.shape[2], layout.channels
    if count == 3 and wanted == 1 and raw.colour:
        luma = values.astype(np.float64) @ np.array(LUMA)
        values = (luma.round() if values.dtype.kind in "ui" else luma).astype(values.dtype)[..., None]
    else:
        check_channels(count, wanted, colour=raw.colour)
    turn = UPRIGHT.get(raw.orientation)
    return raw._replace(values=values if turn is None else turn(values), orientation=1)


def levels(raw: Raw, given: Range | None, layout: Layout) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    """Values that fit as uint8 or uint16 [h, w, C].

    Raises:
        RunError: "no-range", nobody said which values are black and white.
    """
    made: npt.NDArray[Any] = raw.values
    if raw.deep:
        scale = given or raw.scale
        if scale is None:
            raise RunError(no_range(raw), slug="no-range", hint=HINT)
        if made.dtype != np.uint16 or scale != (0.0, 65535.0) or layout.bits != 16 or raw.missing is not None:
            made = grey_levels.levels(made, raw.missing, scale, layout.white)
    elif layout.bits == 16:
        made = made.astype(np.uint16) * np.uint16(257)
    if made.shape[2] != layout.channels:
        made = made.repeat(layout.channels, axis=2)
    return np.require(made, requirements=["C", "W"])  # torch takes no other memory


def no_range(raw: Raw) -> str:
    """What is wrong with values that have no range."""
    dtype = raw.values.dtype
    kind = "floating-point numbers" if dtype.kind == "f" else f"{8 * dtype.itemsize}-bit integers"
    return NO_RANGE.format("values", kind)
