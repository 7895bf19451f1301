"""Image files on disk, listed but not read: the lazy half of a data set.

The index keeps one root and all relative paths in one byte array: a million images cost some tens of
megabytes, loader workers share it without copies (no reference counts are written), and it pickles as one.

How a file becomes RGB: the first frame, turned as its EXIF orientation says. Transparent parts lie on white,
as a page shows them; dropping alpha would show whatever colour hides below. 16-bit grey is scaled from its
full range 0..65535; 32-bit integer and floating-point grey have no agreed range and are scaled from the
image's own minimum and maximum. CMYK and palettes as Pillow converts them.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import ExifTags, Image
from torch import Tensor

from dcp.errors import RunError

# Pillow warns here and refuses at twice as many. Such an image takes a second and 270 MB for every view, so
# dcp refuses it already here.
MAX_PIXELS = 89_478_485

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

    @classmethod
    def listed(cls, root: Path, names: Iterable[bytes]) -> "Files":
        """The index of `names`: paths relative to `root`, in the file system's encoding, order as given."""
        listed = list(names)
        offsets = np.fromiter(accumulate(map(len, listed), initial=0), dtype=np.int64, count=len(listed) + 1)
        return cls(root, np.frombuffer(b"".join(listed), dtype=np.uint8), offsets)

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

    def size(self, i: int) -> int:
        """Bytes on disk of image `i`; RunError where the file has gone."""
        try:
            # not self.path(i).stat(): building a Path takes much longer, and a fingerprint asks for all files
            return os.stat(os.path.join(os.fsencode(self.root), self.name(i))).st_size  # noqa: PTH116, PTH118
        except OSError as error:
            raise broken(self.path(i), error) from error

    def subset(self, index: Tensor) -> "Files":
        """The files at `index` (int64 [M]), in that order."""
        return Files.listed(self.root, [self.name(i) for i in index.tolist()])

    def decode(self, i: int) -> Tensor:
        """Image `i` as uint8 [3, h, w] RGB; RunError with the path where it cannot be read."""
        return decode(self.path(i))


def decode(path: Path) -> Tensor:
    """One image file as uint8 [3, h, w] RGB, upright; the module says how other colour modes become RGB.

    Raises:
        RunError: the file is truncated, empty, not an image, larger than `MAX_PIXELS`, or has gone.
    """
    try:
        with Image.open(path) as image:
            size = f"{image.width} x {image.height} pixels"
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"{size} are more than the {MAX_PIXELS} that dcp decodes; scale it down or cut it up")
            if image.width * image.height == 0:
                raise ValueError(size)
            image.load()
            pixels = np.array(_rgb(_upright(image)))
    except MemoryError:
        raise
    except Exception as error:  # Pillow's parsers raise what they meet: OSError, SyntaxError, struct.error
        raise broken(path, error) from error
    return torch.from_numpy(pixels).permute(2, 0, 1)  # channels stay interleaved: resampling is twice as fast on them


def broken(path: Path, error: Exception) -> RunError:
    """The error for a file that cannot be used, with Pillow's or the system's reason."""
    if not path.exists():
        reason = "the file has gone since the folder was listed"
        hint = "Put it back and go on with --resume."
    else:
        reason = str(error).replace(repr(str(path)), "").strip() or type(error).__name__
        hint = "Replace the file, or take it out of the folder; without it a training needs a new name: run.name=NAME."
    where = str(path).encode(errors="backslashreplace").decode()  # a name that is not valid text must still print
    return RunError(f"cannot read an image: {reason}", slug="broken-image", where=where, hint=hint)


def _upright(image: Image.Image) -> Image.Image:
    # not ImageOps.exif_transpose: it also writes the EXIF block anew, which fails on many a camera's
    try:
        turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # an unreadable EXIF block says nothing about the pixels: viewers show them as they lie
        turn = None
    return image if turn is None else image.transpose(turn)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_eight_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        colour = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", colour.size, "white"), colour)
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bits(grey: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """16-bit grey from its full range, 32-bit grey from the image's own range, to 0..255."""
    values = np.nan_to_num(grey.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if grey.dtype.kind in "ui" and low >= 0 and high <= 65535:
        low, high = 0.0, 65535.0
    return np.asarray(((values - low) * (255 / max(high - low, 1e-30))).round(), dtype=np.uint8)
