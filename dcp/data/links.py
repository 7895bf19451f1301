"""Links: no folder is two classes, and nothing is for training and for testing, whatever ways lead to it."""

import os
from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dcp.data.image_lists import Files
from dcp.data.image_names import SEPARATOR, Identity
from dcp.errors import RequestError

Kinds = Counter[str]  # how many files of each kind


@dataclass(frozen=True, eq=False)
class Listing:
    """What is below a folder."""

    files: Files  # the images
    others: Mapping[bytes, Kinds]  # kinds of the other files, for each folder in it; b"" for itself
    numbers: "array[int]"  # of each image, the same whatever it is called
    folders: Mapping[Identity, list[bytes]]  # with all the ways to each; a separator is at their end


def check_apart(train: Listing, test: Listing) -> None:
    """Refuse a folder or an image that is in both.

    Raises:
        RequestError: "linked-twice".
    """
    folders = train.folders.keys() & test.folders.keys()
    for way, other_way in sorted((train.folders[key][0], test.folders[key][0]) for key in folders):
        raise _twice("folder is for training and for testing", (train, way), (test, other_way))
    ours, theirs = (np.frombuffer(listing.numbers, dtype=np.int64) for listing in (train, test))
    numbers, rows, other_rows = np.intersect1d(ours, theirs, return_indices=True)
    for number, i, j in zip(numbers.tolist(), rows.tolist(), other_rows.tolist(), strict=True):
        if number and _is_same(train.files.path(i), test.files.path(j)):
            one, other = (train, train.files.name(i)), (test, test.files.name(j))
            raise _twice("image is for training and for testing", one, other)


def check_classes(listing: Listing) -> None:
    """Refuse a folder that is, or is in, two classes.

    Raises:
        RequestError: "linked-twice".
    """
    for ways in listing.folders.values():
        others = [way for way in ways if class_of(way) != class_of(ways[0])]
        if others and class_of(ways[0]):  # without a class it is a link back to the whole
            raise _twice("folder is in two classes", (listing, ways[0]), (listing, others[0]))


def class_of(folder: bytes) -> bytes:
    """The class that a folder is, or is in; b"" for the folder of all classes."""
    return folder.partition(SEPARATOR)[0]


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:  # one has just gone
        return False


def _twice(what: str, one: tuple[Listing, bytes], other: tuple[Listing, bytes]) -> RequestError:
    where = " and ".join(
        os.path.join(listing.files.shown, os.fsdecode(way)).rstrip(os.sep)  # noqa: PTH118
        for listing, way in (one, other)
    )
    hint = "One is a link to the other, or both lead to one place. Remove one of them."
    return RequestError(f"the same {what}", slug="linked-twice", where=where, hint=hint)
