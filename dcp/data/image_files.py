"""Image files on disk, listed but not read: the lazy half of a data set.

The index keeps one root and all relative paths in one byte array: a million images cost some tens of
megabytes, loader workers share it without copies (no reference counts are written), and it pickles as one.

Pillow tells a format by the content of a file, whatever its name, and some of those that it knows start programs (EPS
starts Ghostscript). Files are opened as `FORMATS` alone: these are decoded in this process and start nothing.

How a file becomes RGB: the first frame, turned as its EXIF orientation says. Transparent parts lie on white,
as a page shows them; dropping alpha would show whatever colour hides below. Grey of more than 8 bits becomes bytes by
one range for all images (`dcp.data.grey_levels`). CMYK and palettes as Pillow converts them.

Where the list says so an image that cannot be decoded does not end everything: the next in the list that can be, of the
same first folder (so of the same class), is decoded in its place. Which one that is depends on the files alone, so that
readers, processes and sittings agree without a word, and its number stays: order, batches, labels and the draws behind
the views of all images are what they would be.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from itertools import accumulate, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import ExifTags, Image, UnidentifiedImageError
from torch import Tensor

from dcp.data.broken_files import TRAINED, Mending, Undecodable, broken
from dcp.data.grey_levels import Range, is_deep, to_bytes
from dcp.data.regular_files import open_regular
from dcp.errors import LFS_POINTER, RunError, not_fetched, printable

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

MOST_TRIED = 100  # images that could take the place of a broken one; as many broken ones in a row are no accident

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


@dataclass(frozen=True, eq=False)
class Files:
    """A list of image files below one folder; nothing is read before `decode`."""

    root: Path  # what all paths are relative to
    names: npt.NDArray[np.uint8]  # [bytes], the relative paths one after the other, in the file system's encoding
    offsets: npt.NDArray[np.int64]  # [N + 1], where each path starts; the last one is where the last path ends
    shown: str = ""  # what messages call the root; "" for its path
    left_out: Mapping[str, int] = field(default_factory=dict)  # files below the root that are no images, by ending
    grey: Range | None = None  # of grey images of more than 8 bits; None for each kind's own
    mending: Mending = TRAINED  # what helps where a file is broken
    skips: bool = False  # whether others take the place of images that cannot be decoded
    in_place: dict[int, int] = field(default_factory=dict, init=False)  # image -> the one in its place, as far as known

    @classmethod
    def listed(cls, root: Path, names: Iterable[bytes]) -> "Files":
        """The index of `names`: paths relative to `root`, in the file system's encoding, order as given."""
        return cls(root, *_joined(list(names)))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def nbytes(self) -> int:
        """Memory that the index takes, in bytes."""
        return self.names.nbytes + self.offsets.nbytes

    def name(self, i: int) -> bytes:
        """Path of image `i` relative to the root, 0 <= i < N, in the file system's encoding."""
        if not 0 <= i < len(self):
            raise IndexError(f"image {i} of {len(self)}")
        return self.names[self.offsets[i] : self.offsets[i + 1]].tobytes()

    def path(self, i: int) -> Path:
        """Full path of image `i`."""
        return self.root / os.fsdecode(self.name(i))

    def place(self, i: int) -> str:
        """What messages call image `i`."""
        return os.path.join(self.shown or os.fspath(self.root), os.fsdecode(self.name(i)))  # noqa: PTH118

    def size(self, i: int) -> int:
        """Bytes on disk of image `i`; RunError where the file has gone."""
        try:
            # not self.path(i).stat(): building a Path takes much longer, and a fingerprint asks for all files
            return os.stat(os.path.join(os.fsencode(self.root), self.name(i))).st_size  # noqa: PTH116, PTH118
        except OSError as error:
            raise broken(self.path(i), error, self.place(i), self.mending) from error

    def subset(self, index: Tensor) -> "Files":
        """The files at `index` (int64 [M]), in that order."""
        names, offsets = _joined([self.name(i) for i in index.tolist()])
        return replace(self, names=names, offsets=offsets)

    def decode(self, i: int) -> Tensor:
        """Image `i`, or that in its place, as uint8 [3, h, w] RGB; RunError with the path where it cannot be read."""
        try:
            j = self.in_place.get(i, i)
            return decode(self.path(j), self.grey, self.place(j), self.mending)
        except Undecodable:
            if not self.skips:
                raise
            for j in self._others(i):
                with suppress(Undecodable):
                    pixels = decode(self.path(j), self.grey, self.place(j), self.mending)
                    self.in_place[i] = j
                    return pixels
            raise

    def _others(self, i: int) -> Iterator[int]:
        """Those that may take the place of image `i`, in turn: the next in the list of the same first folder."""
        numbers = ((i + step) % len(self) for step in range(1, len(self)))
        return islice((j for j in numbers if top(self.name(j)) == top(self.name(i))), MOST_TRIED)


def top(name: bytes) -> bytes:
    """The first folder on a relative path; b"" for a loose file."""
    separator = os.fsencode(os.sep)
    return name.rpartition(separator)[0].partition(separator)[0]


def _joined(names: list[bytes]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    offsets = np.fromiter(accumulate(map(len, names), initial=0), dtype=np.int64, count=len(names) + 1)
    return np.frombuffer(b"".join(names), dtype=np.uint8), offsets


@cache
def formats() -> tuple[str, ...]:
    """Those of `FORMATS` that this Pillow has; the modules of no other are imported."""
    for kind in ("Jpeg", "Png", "WebP", "Bmp", "Tiff", "Gif", "Ppm", "Jpeg2K", "Avif"):
        with suppress(ImportError):
            import_module(f"PIL.{kind}ImagePlugin")
    return tuple(name for name in FORMATS if name in Image.OPEN)


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """An image file whose header has been read and whose pixels have not.

    Raises:
        NotFetched: it is a Git LFS pointer.
        ValueError: its content is none of `FORMATS`, or it has no pixels or more than `MAX_PIXELS`.
        OSError: it has gone, may not be read, or is no regular file.
        Exception: whatever Pillow's parsers meet.
    """
    with open_regular(path) as file:
        try:
            image = Image.open(file, formats=formats())
        except UnidentifiedImageError:
            file.seek(0)
            if file.read(len(LFS_POINTER)) == LFS_POINTER:
                raise not_fetched(str(path)) from None
            raise ValueError(f"it is no {', '.join(formats()[:-1])} or {formats()[-1]}") from None
        except Image.DecompressionBombError:  # twice as many; its words name a limit of Pillow's
            raise ValueError(f"it has more than the {MAX_PIXELS} pixels that dcp decodes; {SMALLER}") from None
        with image:
            size = f"{image.width} x {image.height} pixels"
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"{size} are more than the {MAX_PIXELS} that dcp decodes; {SMALLER}")
            if image.width * image.height == 0:
                raise ValueError(size)
            yield image


def decode(path: Path, grey: Range | None = None, shown: str = "", mending: Mending = TRAINED) -> Tensor:
    """One image file as uint8 [3, h, w] RGB, upright; the module says how other colour modes become RGB.

    Args:
        path: the file.
        grey: range of grey images of more than 8 bits; None for the kind's own.
        shown: what messages call the file; without it the path.
        mending: what helps where it is broken.

    Raises:
        RunError: the file is truncated, empty, not an image, larger than `MAX_PIXELS`, or has gone; "no-range".
    """
    try:
        with opened(path) as image:
            image.load()
            pixels = np.array(rgb(image, grey))
    except MemoryError:
        raise
    except RunError as error:
        error.where = printable(shown or str(path))
        raise
    except Exception as error:  # Pillow's parsers raise what they meet: OSError, SyntaxError, struct.error
        raise broken(path, error, shown, mending) from error
    return torch.from_numpy(pixels).permute(2, 0, 1)  # channels stay interleaved: resampling is twice as fast on them


def _turn(image: Image.Image) -> Image.Transpose | None:
    # not ImageOps.exif_transpose: it also writes the EXIF block anew, which fails on many a camera's
    try:
        return TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # an unreadable EXIF block says nothing about the pixels: viewers show them as they lie
        return None


def rgb(image: Image.Image, grey: Range | None) -> Image.Image:
    """An image as RGB, upright; the module says how other colour modes become it."""
    turn = _turn(image)
    if is_deep(image):
        image = Image.fromarray(to_bytes(image, grey))
    elif image.has_transparency_data:
        colour = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", colour.size, "white"), colour)
    image = image if image.mode == "RGB" else image.convert("RGB")
    return image if turn is None else image.transpose(turn)
