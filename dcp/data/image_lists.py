"""Images that are listed but not read: the lazy half of a data set. Here is where the bytes of image i lie.

How these become pixels say `dcp.data.image_files` and `dcp.data.channels`.

A list of files keeps one root and all relative paths in one byte array: a million images cost some tens of
megabytes, loader workers share it without copies (no reference counts are written), and it pickles as one.

Where the list says so an image that cannot be decoded does not end everything: the next in the list that can be, of the
same group (the first folder or the label, so of the same class), is decoded in its place. Which one that is depends on
the images alone, so that readers, processes and sittings agree without a word, and its number stays: order, batches,
labels and the draws behind the views of all images are what they would be.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import accumulate, islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from torch import Tensor

from dcp.data.broken_files import TRAINED, Mending, Undecodable
from dcp.data.channels import pixels
from dcp.data.grey_levels import Range
from dcp.data.image_files import in_words
from dcp.data.layout import RGB, Layout
from dcp.data.regular_files import open_regular

MOST_TRIED = 100  # images that could take the place of a broken one; as many broken ones in a row are no accident

Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageList(ABC):
    """A list of N encoded images; nothing is read before `decode`."""

    left_out: Mapping[str, int] = field(default_factory=dict)  # what was met and is no image, by ending
    grey: Range | None = None  # of values of more than 8 bits; None for each kind's own
    layout: Layout = RGB  # of what they become
    mending: Mending = TRAINED  # what helps where an image is broken
    skips: bool = False  # whether others take the place of images that cannot be decoded
    in_place: dict[int, int] = field(default_factory=dict, init=False)  # image -> the one in its place, as far as known

    @abstractmethod
    def __len__(self) -> int:
        """N."""

    @abstractmethod
    def name(self, i: int) -> bytes:
        """What leads to image `i`, 0 <= i < N, from where all of them lie, in the file system's encoding."""

    @abstractmethod
    def place(self, i: int) -> str:
        """What messages call image `i`."""

    @abstractmethod
    def size(self, i: int) -> int:
        """Bytes of image `i`, encoded; RunError where it has gone."""

    @abstractmethod
    def open(self, i: int) -> BinaryIO:
        """Image `i`, open for reading; OSError where it cannot be read."""

    @abstractmethod
    def group(self, i: int) -> Hashable:
        """The same for the images that may take the place of image `i`."""

    @abstractmethod
    def subset(self, index: Tensor) -> "ImageList":
        """The images at `index` (int64 [M]), in that order."""

    def identity(self) -> Iterator[bytes]:
        """Bytes that change with any name or size, and with the order."""
        separator = os.fsencode(os.sep)
        for i in range(len(self)):
            yield b"%s\0%d\0" % (self.name(i).replace(separator, b"/"), self.size(i))

    def decode(self, i: int) -> Tensor:
        """Image `i`, or that in its place, [C, h, w]; RunError with its place where it cannot be read."""
        try:
            return self._decoded(self.in_place.get(i, i))
        except Undecodable:
            if not self.skips:
                raise
            for j in self._others(i):
                with suppress(Undecodable):
                    pixels = self._decoded(j)
                    self.in_place[i] = j
                    return pixels
            raise

    def _decoded(self, i: int) -> Tensor:
        with in_words(self.place(i), self.mending), self.open(i) as file:
            return pixels(file, self.grey, self.layout)

    def _others(self, i: int) -> Iterator[int]:
        """Those that may take the place of image `i`, in turn: the next in the list of the same group."""
        numbers = ((i + step) % len(self) for step in range(1, len(self)))
        return islice((j for j in numbers if self.group(j) == self.group(i)), MOST_TRIED)


@dataclass(frozen=True, eq=False)
class Files(ImageList):
    """A list of image files below one folder."""

    root: Path  # what all paths are relative to
    names: Bytes  # [bytes], the relative paths one after the other, in the file system's encoding
    offsets: Numbers  # [N + 1], where each path starts; the last one is where the last path ends
    shown: str = ""  # what messages call the root; "" for its path

    @classmethod
    def listed(cls, root: Path, names: Iterable[bytes]) -> "Files":
        """The index of `names`: paths relative to `root`, in the file system's encoding, order as given."""
        return cls(root, *joined(list(names)))

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
        with in_words(self.place(i), self.mending):
            return os.stat(self._where(i)).st_size  # noqa: PTH116

    def open(self, i: int) -> BinaryIO:
        """The file, open for reading; OSError where it has gone, may not be read, or is no regular file."""
        return open_regular(os.fsdecode(self._where(i)))

    def group(self, i: int) -> bytes:
        """Its first folder."""
        return top(self.name(i))

    def subset(self, index: Tensor) -> "Files":
        """The files at `index` (int64 [M]), in that order."""
        names, offsets = joined([self.name(i) for i in index.tolist()])
        return replace(self, names=names, offsets=offsets)

    def _where(self, i: int) -> bytes:
        # not self.path(i): building a Path takes much longer, and a fingerprint asks for all files
        return os.path.join(os.fsencode(self.root), self.name(i))  # noqa: PTH118


def top(name: bytes) -> bytes:
    """The first folder on a relative path; b"" for a loose file."""
    separator = os.fsencode(os.sep)
    return name.rpartition(separator)[0].partition(separator)[0]


def joined(names: list[bytes]) -> tuple[Bytes, Numbers]:
    """Names one after the other [bytes], and where each starts [N + 1]; the last number is where the last one ends."""
    offsets = np.fromiter(accumulate(map(len, names), initial=0), dtype=np.int64, count=len(names) + 1)
    return np.frombuffer(b"".join(names), dtype=np.uint8), offsets
