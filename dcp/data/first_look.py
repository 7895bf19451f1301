"""A first look at a folder of images, before hours of training: what they are, at a few of them.

Images are chosen evenly over the list, the same ones every time. Those that cannot be read are passed over: the one who
decodes them says what is wrong with them.
"""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from dcp.data.grey_levels import HINT, Range, is_deep, no_range, own_range, present, to_bytes, values
from dcp.data.image_files import Files, opened
from dcp.errors import NotFetched, RequestError, not_fetched

LOOKED_AT = 64  # images whose header is read
DECODED = 16  # grey images of more than 8 bits among them that are decoded
FEW_LEVELS = 64  # of 256: 12 bits in 16 use 17, and 14 bits 65
MEASURED = 2000  # images that a range is measured on
PIXELS = 4096  # of each of these
QUANTILES = (0.001, 0.999)  # a broken pixel, or a missing value that nobody declared, is not the darkest of all


def look(files: Files) -> tuple[str, ...]:
    """What is to be said of the images.

    Raises:
        RequestError: "git-lfs", one of them was not fetched; "no-range", how bright its values are nobody knows.
    """
    lowest, highest, darkest, brightest, decoded = np.inf, -np.inf, 255, 0, 0
    for i, image in _opened(files, LOOKED_AT):
        if not is_deep(image) or decoded == DECODED:
            continue
        if files.grey is None and own_range(image) is None:
            raise RequestError(no_range(image), slug="no-range", where=files.place(i), hint=HINT)
        levels, grey = to_bytes(image, files.grey), values(image)
        numbers = grey[present(image, grey)]
        if len(numbers):
            lowest, highest = min(lowest, float(numbers.min())), max(highest, float(numbers.max()))
            darkest, brightest = min(darkest, int(levels.min())), max(brightest, int(levels.max()))
            decoded += 1
    if not decoded or brightest - darkest >= FEW_LEVELS:
        return ()
    ends = f"[{lowest:g}, {highest:g}]"
    return (
        f"{brightest - darkest + 1} of 256 grey levels are left of values from {lowest:g} to {highest:g}: "
        f'data.range = {ends}, or "measured", spreads them out',
    )


def measured(files: Files) -> Range | None:
    """The range of the grey values of more than 8 bits: all but a thousandth at either end; None if there are none.

    It is that of at most `PIXELS` pixels each of at most `MEASURED` images.

    Raises:
        RequestError: "no-range", they are all the same.
    """
    sample = []
    for _, image in _opened(files, MEASURED):
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
        raise RequestError(what, slug="no-range", where="data.range", hint=HINT)
    return low, high


def _opened(files: Files, count: int) -> Iterator[tuple[int, Image.Image]]:
    """At most `count` images with their numbers, loaded where they are grey of more than 8 bits."""
    count = min(count, len(files))
    for place in range(count):
        i = place * len(files) // count
        try:
            with opened(files.path(i)) as image:
                if is_deep(image):
                    image.load()
                yield i, image
        except NotFetched:
            raise not_fetched(files.place(i)) from None
        except Exception:  # Pillow's parsers raise what they meet
            continue
