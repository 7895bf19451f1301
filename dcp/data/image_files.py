"""Image files: how the bytes of one become RGB, wherever they lie (`dcp.data.image_lists`).

Pillow tells a format by the content of a file, whatever its name, and some of those that it knows start programs (EPS
starts Ghostscript). Files are opened as `FORMATS` alone: these are decoded in this process and start nothing.

How a file becomes RGB: the first frame, turned as its EXIF orientation says. Transparent parts lie on white,
as a page shows them; dropping alpha would show whatever colour hides below. Grey of more than 8 bits becomes bytes by
one range for all images (`dcp.data.grey_levels`). CMYK and palettes as Pillow converts them.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import cache
from importlib import import_module
from typing import BinaryIO, TypeAlias

import numpy as np
import torch
from PIL import ExifTags, Image, UnidentifiedImageError
from torch import Tensor

from dcp.data.broken_files import TRAINED, Mending, broken
from dcp.data.grey_levels import Range, is_deep, to_bytes
from dcp.data.regular_files import open_regular
from dcp.errors import LFS_POINTER, MissingExtra, RunError, not_fetched, printable

FORMATS = {  # as Pillow calls them -> endings of their files
    "JPEG": ("jpg", "jpeg", "jpe", "jfif"),
    "PNG": ("png", "apng"),
    "WEBP": ("webp",),
    "BMP": ("bmp",),
    "TIFF": ("tif", "tiff"),
    "GIF": ("gif",),
    "PPM": ("ppm", "pgm", "pbm", "pnm", "pfm"),
    "JPEG2000": ("jp2", "j2k", "j2c", "jpc", "jpf", "jpx"),
    "AVIF": ("avif",),  # of Pillow 11.3 and later
}

Source: TypeAlias = "str | os.PathLike[str] | BinaryIO"  # a file by its path, or one that is open for reading

# Pillow warns here and refuses at twice as many. Such an image takes a second and 270 MB for every view, so
# dcp refuses it already here.
MAX_PIXELS = 89_478_485
SMALLER = "scale it down or cut it up"

TURNS = {  # EXIF orientation -> what puts the image upright; 1 is upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@cache
def formats() -> tuple[str, ...]:
    """Those of `FORMATS` that this Pillow has; the modules of no other are imported."""
    for kind in ("Jpeg", "Png", "WebP", "Bmp", "Tiff", "Gif", "Ppm", "Jpeg2K", "Avif"):
        with suppress(ImportError):
            import_module(f"PIL.{kind}ImagePlugin")
    return tuple(name for name in FORMATS if name in Image.OPEN)


@contextmanager
def opened(source: Source) -> Iterator[Image.Image]:
    """An image file whose header has been read and whose pixels have not; what came open stays open.

    Raises:
        NotFetched: it is a Git LFS pointer.
        ValueError: its content is none of `FORMATS`, or it has no pixels or more than `MAX_PIXELS`.
        OSError: it has gone, may not be read, or is no regular file.
        Exception: whatever Pillow's parsers meet.
    """
    path = str(source) if isinstance(source, (str, os.PathLike)) else ""
    with open_regular(source) if isinstance(source, (str, os.PathLike)) else nullcontext(source) as file:
        try:
            image = Image.open(file, formats=formats())
        except UnidentifiedImageError:
            file.seek(0)
            if file.read(len(LFS_POINTER)) == LFS_POINTER:
                raise not_fetched(path) from None
            raise ValueError(f"it is no {', '.join(formats()[:-1])} or {formats()[-1]}") from None
        except Image.DecompressionBombError:  # twice as many; its words name a limit of Pillow's
            raise ValueError(f"it has more than the {MAX_PIXELS} pixels that dcp decodes; {SMALLER}") from None
        with image:
            check_size(image.height, image.width)
            yield image


def check_size(height: int, width: int) -> None:
    """ValueError for an image without pixels, or with more than `MAX_PIXELS`."""
    size = f"{width} x {height} pixels"
    if width * height > MAX_PIXELS:
        raise ValueError(f"{size} are more than the {MAX_PIXELS} that dcp decodes; {SMALLER}")
    if width * height == 0:
        raise ValueError(size)


def decode(source: Source, grey: Range | None = None, shown: str = "", mending: Mending = TRAINED) -> Tensor:
    """One image file as uint8 [3, h, w] RGB, upright; the module says how other colour modes become RGB.

    Args:
        source: the file.
        grey: range of grey images of more than 8 bits; None for the kind's own.
        shown: what messages call the file; without it the path.
        mending: what helps where it is broken.

    Raises:
        RunError: the file is truncated, empty, not an image, larger than `MAX_PIXELS`, or has gone; "no-range".
    """
    with in_words(shown or str(source), mending):
        return pixels(source, grey)


def pixels(source: Source, grey: Range | None) -> Tensor:
    """The same, with Pillow's and the system's own errors.

    Raises:
        RunError: "no-range".
        Exception: as `opened`.
    """
    with opened(source) as image:
        image.load()
        array = np.array(rgb(image, grey))
    return torch.from_numpy(array).permute(2, 0, 1)  # channels stay interleaved: resampling is twice as fast on them


@contextmanager
def in_words(shown: str, mending: Mending = TRAINED) -> Iterator[None]:
    """Whatever stops an image from being read becomes one RunError that names it.

    Args:
        shown: what messages call the image.
        mending: what helps where it is broken.
    """
    try:
        yield
    except MemoryError:
        raise
    except (RunError, MissingExtra) as error:
        error.where = printable(shown)
        raise
    except Exception as error:  # Pillow's parsers raise what they meet: OSError, SyntaxError, struct.error
        raise broken(shown, error, mending) from error


def orientation(image: Image.Image) -> int:
    """EXIF's, from 1, which is upright, to 8."""
    # not ImageOps.exif_transpose: it also writes the EXIF block anew, which fails on many a camera's
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # an unreadable EXIF block says nothing about the pixels: viewers show them as they lie
        return 1


def rgb(image: Image.Image, grey: Range | None) -> Image.Image:
    """An image as RGB, upright; the module says how other colour modes become it."""
    turn = TURNS.get(orientation(image))
    if is_deep(image):
        image = Image.fromarray(to_bytes(image, grey))
    elif image.has_transparency_data:
        colour = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", colour.size, "white"), colour)
    image = image if image.mode == "RGB" else image.convert("RGB")
    return image if turn is None else image.transpose(turn)
