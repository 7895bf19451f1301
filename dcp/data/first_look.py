"""A first look at a folder of images, before hours of training: what they are, at a few of them.

Images are chosen evenly over the list, the same ones every time. Those that cannot be read are passed over: the one who
decodes them says what is wrong with them.
"""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from dcp.data.grey_levels import GIVEN, HINT, Range, is_deep, no_range, own_range, present, to_bytes, values
from dcp.data.image_files import opened
from dcp.data.image_lists import ImageList
from dcp.errors import NotFetched, RequestError, not_fetched

LOOKED_AT = 64  # images whose header is read
DECODED = 16  # grey images of more than 8 bits among them that are decoded
FEW_LEVELS = 64  # of 256: 12 bits in 16 use 17, and 14 bits 65
MEASURED = 2000  # images that a range is measured on
PIXELS = 4096  # of each of these
QUANTILES = (0.001, 0.999)  # a broken pixel, or a missing value that nobody declared, is not the darkest of all


def look(files: ImageList, *, measured: bool = False) -> tuple[str, ...]:
    """What is to be said of the images.

    Args:
        files: the images.
        measured: whether a range was to be measured, whatever came of it.

    Raises:
        RequestError: "git-lfs", one of them was not fetched; "no-range", how bright its values are nobody knows.
    """
    deep = []
    for i, image in _opened(files, _evenly(len(files), LOOKED_AT)):
        if is_deep(image):
            if files.grey is None and own_range(image) is None:
                what = no_range(image) + ("; in the training images was nothing to measure" if measured else "")
                hint = GIVEN if measured else HINT
                raise RequestError(what, slug="no-range", where=files.place(i), hint=hint)
            deep.append(i)
    found = []  # of each image the lowest and the highest value, and what these become
    for _, image in _opened(files, [deep[k] for k in _evenly(len(deep), DECODED)], load=True):
        grey = values(image)
        here = present(image, grey)
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

    It is that of at most `PIXELS` pixels each of at most `MEASURED` images.

    Raises:
        RequestError: "no-range", they are all the same.
    """
    sample = []
    for _, image in _opened(files, _evenly(len(files), MEASURED), load=True):
        if is_deep(image):
            grey = values(image)
            numbers = grey[present(image, grey)]
            count = min(PIXELS, len(numbers))
            sample.append(numbers[np.arange(count) * len(numbers) // max(count, 1)])
    if not any(map(len, sample)):
        return None
    low, high = (float(end) for end in np.quantile(np.concatenate(sample).astype(np.float64), QUANTILES))
    if high == low:
        what = f"the grey values of the images are {low:g} everywhere: there is no range to measure"
        raise RequestError(what, slug="no-range", where="data.range", hint=GIVEN)
    return low, high


def _evenly(n: int, count: int) -> list[int]:
    """At most `count` of 0..n-1."""
    count = min(count, n)
    return [place * n // count for place in range(count)]


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
