"""A first look at a folder of images, before hours of training: what they are, at a few of them.

Images are chosen evenly over the list, the same ones every time. Those that cannot be read are passed over: the one who
decodes them says what is wrong with them.
"""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from dcp.data import values_look
from dcp.data.grey_levels import (
    GIVEN,
    HINT,
    Range,
    is_deep,
    missing_value,
    no_range,
    own_range,
    present,
    to_bytes,
    values,
)
from dcp.data.image_files import opened
from dcp.data.image_lists import ImageList
from dcp.data.layout import RGB
from dcp.data.values_look import DECODED, MEASURED, between_quantiles, evenly, some
from dcp.errors import NotFetched, RequestError, not_fetched

LOOKED_AT = 64  # images whose header is read; grey images of more than 8 bits among them are decoded
FEW_LEVELS = 64  # of 256: 12 bits in 16 use 17, and 14 bits 65


def look(files: ImageList, *, measured: bool = False) -> tuple[str, ...]:
    """What is to be said of the images.

    Args:
        files: the images.
        measured: whether a range was to be measured, whatever came of it.

    Raises:
        RequestError: "git-lfs", one of them was not fetched; "no-range", how bright its values are nobody knows.
    """
    if files.layout != RGB:
        return values_look.look(files, measured=measured)
    deep = []
    for i, image in _opened(files, evenly(len(files), LOOKED_AT)):
        if is_deep(image):
            if files.grey is None and own_range(image) is None:
                what = no_range(image) + ("; in the training images was nothing to measure" if measured else "")
                hint = GIVEN if measured else HINT
                raise RequestError(what, slug="no-range", where=files.place(i), hint=hint)
            deep.append(i)
    found = []  # of each image the lowest and the highest value, and what these become
    for _, image in _opened(files, [deep[k] for k in evenly(len(deep), DECODED)], load=True):
        grey = values(image)
        here = present(grey, missing_value(image))
        if here.any():
            numbers, levels = grey[here], to_bytes(image, files.grey)[here]
            found.append([float(f(values)) for values in (numbers, levels) for f in (np.min, np.max)])
    if not found:
        return ()
    low, high, dark, bright = (np.array(ends) for ends in zip(*found, strict=True))
    left, spans = bright.max() - dark.min() + 1, bright - dark + 1
    of_all = f"values from {low.min():g} to {high.max():g} ({len(found)} images were looked at)"
    if left <= FEW_LEVELS:
        better = "data.range = [low, high]" if measured else 'data.range = "measured"'
        return (f"{left:g} of 256 grey levels are left of {of_all}: {better} spreads them out",)
    if np.median(spans) <= FEW_LEVELS:
        few = f"half of the images have at most {np.median(spans):g} of 256 grey levels"
        return (f"{few}, as all together have {of_all}: a narrower data.range = [low, high] shows more of them",)
    return ()


def measured(files: ImageList) -> Range | None:
    """The range of the grey values of more than 8 bits: all but a thousandth at either end; None if there are none.

    It is that of some pixels each of at most `MEASURED` images.

    Raises:
        RequestError: "no-range", they are all the same.
    """
    if files.layout != RGB:
        return values_look.measured(files)
    sample = []
    for _, image in _opened(files, evenly(len(files), MEASURED), load=True):
        if is_deep(image):
            grey = values(image)
            sample.append(some(grey[present(grey, missing_value(image))]))
    return between_quantiles(sample)


def _opened(files: ImageList, which: list[int], *, load: bool = False) -> Iterator[tuple[int, Image.Image]]:
    """Images with their numbers, grey ones of more than 8 bits loaded; those that cannot be read are passed over."""
    for i in which:
        try:
            with files.open(i) as file, opened(file) as image:
                if load and is_deep(image):
                    image.load()
                yield i, image
        except NotFetched:
            raise not_fetched(files.place(i)) from None
        except Exception:  # Pillow's parsers raise what they meet
            continue
