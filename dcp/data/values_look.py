"""A first look at images that are more than bytes of red, green and blue: are they what the recipe says?

Images are chosen evenly over the list, the same ones every time. Those that cannot be read are passed over: the one who
decodes them says what is wrong with them. One of another number of channels ends it, before hours of training.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from dcp.data import channels
from dcp.data.array_files import Raw, WrongChannels
from dcp.data.grey_levels import GIVEN, HINT, Range, present
from dcp.data.image_lists import ImageList
from dcp.errors import MissingExtra, NotFetched, RequestError, not_fetched, printable

DECODED = 16  # images that are decoded
MEASURED = 2000  # images that a range is measured on
PIXELS = 4096  # values of each of these
QUANTILES = (0.001, 0.999)  # a broken pixel, or a missing value that nobody declared, is not the darkest of all
NARROW = 1 / 16  # of the range, which is all that the values of many instruments take of 16 bits


def look(files: ImageList, *, measured: bool = False) -> tuple[str, ...]:
    """What is to be said of the images.

    Args:
        files: the images; not with a layout of RGB.
        measured: whether a range was to be measured, whatever came of it.

    Raises:
        RequestError: "git-lfs", one of them was not fetched; "no-range", how bright its values are nobody knows;
            "wrong-channels"; "missing-package", a package that reads it is not installed.
    """
    looked = deep = luma = 0
    shares: list[tuple[float, float]] = []  # the lowest and the highest value of each image, as shares of the range
    for i, raw in read(files, evenly(len(files), DECODED)):
        looked, deep, luma = looked + 1, deep + raw.deep, luma + (raw.colour and files.layout.channels == 1)
        if not raw.deep:
            continue
        scale = files.grey or raw.scale
        if scale is None:
            what = channels.no_range(raw) + ("; in the training images was nothing to measure" if measured else "")
            hint = GIVEN if measured else HINT
            raise RequestError(what, slug="no-range", where=printable(files.place(i)), hint=hint)
        values = raw.values[present(raw.values, raw.missing)]
        if len(values):
            low, high = scale
            shares.append(tuple((float(f(values)) - low) / (high - low) for f in (np.min, np.max)))  # type: ignore[arg-type]
    said = []
    if luma:
        said.append(f"{luma} of {looked} images that were looked at are in colour, and become grey by their luma")
    if looked and not deep and files.layout.bits == 16:
        said.append(
            f"all {looked} images that were looked at have values of 8 bits: data.depth = 8 is enough, and faster"
        )
    if shares and (taken := max(high for _, high in shares) - min(low for low, _ in shares)) < NARROW:
        unless = 'too little to learn from, unless views.normalize = "computed" or data.range = "measured"'
        said.append(f"values take {taken:.2%} of the range from black to white ({len(shares)} images): {unless}")
    return tuple(said)


def measured(files: ImageList) -> Range | None:
    """The range of values of more than 8 bits: all but a thousandth at either end; None if there are none.

    Raises:
        RequestError: "no-range", they are all the same.
    """
    sample = []
    for _, raw in read(files, evenly(len(files), MEASURED)):
        if raw.deep:
            sample.append(some(raw.values[present(raw.values, raw.missing)]))
    return between_quantiles(sample)


def some(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """At most `PIXELS` of values [n], spread evenly."""
    count = min(PIXELS, len(values))
    return values[np.arange(count) * len(values) // max(count, 1)]


def between_quantiles(sample: Sequence[npt.NDArray[np.generic]]) -> Range | None:
    """All but a thousandth at either end of the values of many images; None of none.

    Raises:
        RequestError: "no-range", they are all the same.
    """
    if not any(map(len, sample)):
        return None
    low, high = (float(end) for end in np.quantile(np.concatenate(sample).astype(np.float64), QUANTILES))
    if high == low:
        what = f"the grey values of the images are {low:g} everywhere: there is no range to measure"
        raise RequestError(what, slug="no-range", where="data.range", hint=GIVEN)
    return low, high


def evenly(n: int, count: int) -> list[int]:
    """At most `count` of 0..n-1."""
    count = min(count, n)
    return [place * n // count for place in range(count)]


def read(files: ImageList, which: list[int]) -> Iterator[tuple[int, Raw]]:
    """What is in the images with their numbers, as it is; those that cannot be read are passed over.

    Raises:
        RequestError: "git-lfs", "missing-package"; "wrong-channels", unless such images are to be skipped.
    """
    for i in which:
        try:
            with files.open(i) as file:
                yield i, channels.read(file, files.layout)
        except NotFetched:
            raise not_fetched(files.place(i)) from None
        except MissingExtra as error:
            error.where = printable(files.place(i))
            raise
        except WrongChannels as error:
            if files.skips:
                continue
            hint = "all images need as many: set data.channels, or take the file out of the folder"
            where = printable(files.place(i))
            raise RequestError(str(error), slug="wrong-channels", where=where, hint=hint) from None
        except Exception:  # parsers raise what they meet
            continue
