"""Grey images of more than 8 bits: which values become which of the 256 levels of a byte.

One range [low, high] holds for all images of a data set, so that equal values look equal whatever else is in an image:
low and less become 0, high and more 255. Without one each kind has its own:

    16 bits            0 to 65535 (a PGM's and a JPEG 2000's largest value is brought to 65535 by Pillow)
    16 bits signed     -32768 to 32767
    12 bits (TIFF)     0 to 4095
    32 bits, floats    none: people agree on no range, and what is in one image says nothing of the next

NaN, infinities and the value that a TIFF declares to be missing (GDAL's nodata tag) become 0. Images of 8 bits keep
their bytes. Colour images of 16 bits a channel are not touched here: of them Pillow gives the upper 8 bits.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from dcp.errors import RunError

Range: TypeAlias = tuple[float, float]  # low < high

BLOCK = 1 << 20  # pixels that are float64 at a time: 8 MB
SAMPLE_FORMAT, BITS, NODATA = 339, 258, 42113  # tags of a TIFF
UNSIGNED = 1  # its sample format
GIVEN = "Say which values are black and white: data.range = [0, 1], with your numbers."
HINT = f'{GIVEN}\nOr data.range = "measured": once, over the training images, where such values must be.'


def is_deep(image: Image.Image) -> bool:
    """Whether it is a grey image of more than 8 bits."""
    return image.mode.startswith(("I", "F"))


def own_range(image: Image.Image) -> Range | None:
    """What its kind may hold, of a deep image; None where that says nothing about black and white."""
    bits, sample_format = _layout(image)
    if image.mode.startswith("I;16"):
        return (0.0, 4095.0) if bits == 12 else (0.0, 65535.0)
    if image.mode == "F" or bits == 32:
        return None
    return (-32768.0, 32767.0) if sample_format != UNSIGNED else (0.0, 65535.0)


def to_bytes(image: Image.Image, given: Range | None) -> npt.NDArray[np.uint8]:
    """A deep image as uint8 [h, w], by the range that is given, or by its own.

    Raises:
        RunError: "no-range", there is neither.
    """
    scale = given or own_range(image)
    if scale is None:
        raise RunError(no_range(image), slug="no-range", hint=HINT)
    low, high = scale
    grey = values(image)
    levels = np.empty(grey.shape, dtype=np.uint8)
    rows = max(1, BLOCK // max(grey.shape[1], 1))
    for start in range(0, len(grey), rows):
        part = grey[start : start + rows]
        wide = np.where(present(image, part), part.astype(np.float64), low).clip(low, high)
        levels[start : start + rows] = ((wide - low) * (255 / max(high - low, 1e-30))).round()
    return levels


def values(image: Image.Image) -> npt.NDArray[np.generic]:
    """What is in a deep image [h, w], as its own type."""
    grey: npt.NDArray[np.generic] = np.asarray(image)
    # Pillow has no unsigned mode of 32 bits: what is beyond 2^31 - 1 would be negative
    return grey.view(np.uint32) if _layout(image) == (32, UNSIGNED) and grey.dtype == np.int32 else grey


def present(image: Image.Image, grey: npt.NDArray[np.generic]) -> npt.NDArray[np.bool_]:
    """Which of the values of a deep image are numbers and not declared to be missing."""
    here: npt.NDArray[np.bool_] = np.isfinite(grey)
    try:
        missing = float(_tag(image, NODATA))  # type: ignore[arg-type]
        with np.errstate(over="ignore"):
            missing = missing if grey.dtype.kind in "ui" else float(grey.dtype.type(missing))
    except (TypeError, ValueError):
        return here
    return np.asarray(here & (grey != missing), dtype=np.bool_)


def no_range(image: Image.Image) -> str:
    """What is wrong with a deep image that has no range."""
    kind = "floating-point numbers" if image.mode == "F" else "32-bit integers"
    return f"its grey values are {kind}, and these have no agreed black and white"


def _tag(image: Image.Image, number: int) -> object:
    """A tag of a TIFF, or the first of its values; None of other images."""
    value = getattr(image, "tag_v2", {}).get(number) if image.format == "TIFF" else None
    return value[0] if isinstance(value, tuple) and value else value


def _layout(image: Image.Image) -> tuple[int, int]:
    """Bits a value and sample format of a TIFF; other formats have 16 bits, unsigned, where Pillow gives a mode "I"."""
    if image.format != "TIFF":
        return 16, UNSIGNED
    bits, sample_format = _tag(image, BITS), _tag(image, SAMPLE_FORMAT)
    return (bits if isinstance(bits, int) else 16), (sample_format if isinstance(sample_format, int) else UNSIGNED)
