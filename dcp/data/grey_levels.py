"""Values of more than 8 bits: which become which of the 256 levels of a byte, or of the 65,536 of two.

One range [low, high] holds for all images of a data set and all of their channels, so that equal values look equal
whatever else is in an image: low and less become 0, high and more 255, or 65535. Without one each kind has its own:

    16 bits            0 to 65535 (a PGM's and a JPEG 2000's largest value is brought to 65535 by Pillow)
    16 bits signed     -32768 to 32767
    12 bits (TIFF)     0 to 4095
    32 bits, floats    none: people agree on no range, and what is in one image says nothing of the next

NaN, infinities and the value that a TIFF declares to be missing (GDAL's nodata tag) become 0. Images of 8 bits keep
their bytes (`dcp.data.channels` makes them two). Of colours of 16 bits Pillow gives the upper 8.
"""

from math import prod
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from dcp.errors import RunError

Range: TypeAlias = tuple[float, float]  # low < high
Values: TypeAlias = npt.NDArray[Any]

BLOCK = 1 << 20  # pixels that are float64 at a time: 8 MB
SAMPLE_FORMAT, BITS, NODATA = 339, 258, 42113  # tags of a TIFF
UNSIGNED = 1  # its sample format
NO_RANGE = "its {} are {}, and these have no agreed black and white"
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
    grey = values(image)
    return levels(grey, missing_value(image), scale, 255).astype(np.uint8, copy=False)


def levels(given: Values, missing: object, scale: Range, white: int) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    """Values [h, w, ...] as uint8 of the same shape where `white` is 255, as uint16 where it is 65535.

    Args:
        given: the values.
        missing: what those are that are not there, which become 0; anything that is no number for none.
        scale: the values that become 0 and `white`.
        white: 255 or 65535.
    """
    low, high = scale
    made: npt.NDArray[Any] = np.empty(given.shape, dtype=np.uint8 if white == 255 else np.uint16)
    rows = max(1, BLOCK // max(prod(given.shape[1:]), 1))
    for start in range(0, len(given), rows):
        part = given[start : start + rows]
        wide = np.where(present(part, missing), part.astype(np.float64), low).clip(low, high)
        made[start : start + rows] = ((wide - low) * (white / max(high - low, 1e-30))).round()
    return made


def values(image: Image.Image) -> Values:
    """What is in a deep image [h, w], as its own type."""
    grey: Values = np.asarray(image)
    # Pillow has no unsigned mode of 32 bits: what is beyond 2^31 - 1 would be negative
    return grey.view(np.uint32) if _layout(image) == (32, UNSIGNED) and grey.dtype == np.int32 else grey


def missing_value(image: Image.Image) -> object:
    """What a TIFF declares to be missing; anything that is no number if it declares nothing."""
    return _tag(image, NODATA)


def present(given: Values, missing: object) -> npt.NDArray[np.bool_]:
    """Which values are numbers and not declared to be missing."""
    here: npt.NDArray[np.bool_] = np.isfinite(given)
    try:
        absent = float(missing)  # type: ignore[arg-type]
        with np.errstate(over="ignore"):
            absent = absent if given.dtype.kind in "ui" else float(given.dtype.type(absent))
    except (TypeError, ValueError):
        return here
    return np.asarray(here & (given != absent), dtype=np.bool_)


def no_range(image: Image.Image) -> str:
    """What is wrong with a deep image that has no range."""
    kind = "floating-point numbers" if image.mode == "F" else "32-bit integers"
    return NO_RANGE.format("grey values", kind)


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
