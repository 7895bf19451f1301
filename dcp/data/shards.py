"""Images in tar files: read at their offsets, in any order, with nothing unpacked.

The order is that of the tars by name, then that in the tar. Offsets, sizes and names stand in arrays, which processes
share without copies. Each process opens the tars for itself, and keeps few of them open, of all lists together.
"""

import os
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from errno import EMFILE, ENFILE
from io import BytesIO
from typing import BinaryIO, NamedTuple

import numpy as np
from torch import Tensor

from dcp.data.folders import Folder
from dcp.data.image_lists import Bytes, ImageList, Numbers, joined
from dcp.data.regular_files import open_regular

MOST_OPEN = 64  # tar files of a process, of the 1024 files that many a system lets it have


class Stamp(NamedTuple):
    """A tar file as it was when its index was made."""

    name: str
    size: int  # in bytes
    mtime_ns: int

    def is_of(self, status: os.stat_result) -> bool:
        """Whether a file has not changed since."""
        return (status.st_size, status.st_mtime_ns) == (self.size, self.mtime_ns)


class Descriptor:
    """A tar file that is open; it is closed with the last who holds it. OSError where it cannot be opened."""

    def __init__(self, path: str) -> None:
        with open_regular(path) as file:
            self.number = os.dup(file.fileno())

    def __del__(self) -> None:
        with suppress(AttributeError, OSError):
            os.close(self.number)

    def read(self, stamp: Stamp, offset: int, size: int) -> bytes:
        """Bytes from `offset` on; OSError where they cannot be read, or the file is another than it was."""
        if not stamp.is_of(os.fstat(self.number)):
            raise OSError(0, "the tar file has changed since it was listed")
        if not hasattr(os, "pread"):
            os.lseek(self.number, offset, os.SEEK_SET)
            content = os.read(self.number, size)
        else:
            content = os.pread(self.number, size, offset)
        if len(content) != size:
            raise OSError(0, f"the tar file ends after {len(content):,} of its {size:,} bytes")
        return content


class Opened:
    """Tar files that are open, the one that was used last at the end."""

    def __init__(self) -> None:
        self.files = OrderedDict[tuple[str, Stamp], Descriptor]()
        self.most = MOST_OPEN

    def read(self, path: str, stamp: Stamp, offset: int, size: int) -> bytes:
        """Bytes of a tar file; OSError as `Descriptor`."""
        key = path, stamp
        file = self.files.pop(key, None) or self._descriptor(path)
        self.files[key] = file
        with suppress(KeyError):  # another thread was faster
            while len(self.files) > self.most:
                self.files.popitem(last=False)
        return file.read(stamp, offset, size)

    def close(self) -> None:
        """Close all that nobody is reading."""
        self.files.clear()

    def _descriptor(self, path: str) -> Descriptor:
        try:
            return Descriptor(path)
        except OSError as error:
            if error.errno not in (EMFILE, ENFILE) or not self.files:
                raise
        self.most = max(1, len(self.files) // 2)  # other parts of the process have all others, and may need more
        self.close()
        return Descriptor(path)


OPENED = Opened()  # by this process
if hasattr(os, "register_at_fork"):  # what a forked process inherits would stay open, and its number taken
    os.register_at_fork(before=OPENED.close, after_in_child=OPENED.close)


@dataclass(frozen=True, eq=False)
class Shards(ImageList):
    """A list of images in the tar files of one folder."""

    folder: Folder  # in which the tars lie
    stamps: tuple[Stamp, ...]  # of all tars
    tar: Numbers  # [N], which tar each image is in
    offset: Numbers  # [N], of its first byte
    sizes: Numbers  # [N], in bytes
    names: Bytes  # [bytes], the members' names one after the other
    starts: Numbers  # [N + 1], where each begins
    label: Numbers  # [N], -1 where there is none

    def __len__(self) -> int:
        return len(self.tar)

    @property
    def nbytes(self) -> int:
        """Memory that the index takes, in bytes."""
        arrays = (self.tar, self.offset, self.sizes, self.names, self.starts, self.label)
        return sum(array.nbytes for array in arrays)

    def name(self, i: int) -> bytes:
        """The name of the tar, and that of the member in it."""
        if not 0 <= i < len(self):
            raise IndexError(f"image {i} of {len(self)}")
        member = self.names[self.starts[i] : self.starts[i + 1]].tobytes()
        return os.fsencode(self.stamps[self.tar[i]].name) + b"/" + member

    def place(self, i: int) -> str:
        """What messages call image `i`: the path of the tar, and the name in it."""
        return f"{self.folder}/{os.fsdecode(self.name(i))}"

    def size(self, i: int) -> int:
        """Bytes of image `i` in its tar."""
        return int(self.sizes[i])

    def open(self, i: int) -> BinaryIO:
        """The bytes of image `i`; OSError where its tar has gone, has changed or cannot be read."""
        stamp = self.stamps[self.tar[i]]
        path = os.fspath(self.folder / stamp.name)
        return BytesIO(OPENED.read(path, stamp, int(self.offset[i]), int(self.sizes[i])))

    def group(self, i: int) -> Hashable:
        """Its label."""
        return int(self.label[i])

    def subset(self, index: Tensor) -> "Shards":
        """The images at `index` (int64 [M]), in that order."""
        rows = index.numpy()
        names, starts = joined([self.names[self.starts[i] : self.starts[i + 1]].tobytes() for i in rows.tolist()])
        chosen = {key: getattr(self, key)[rows] for key in ("tar", "offset", "sizes", "label")}
        return replace(self, names=names, starts=starts, **chosen)

    def identity(self) -> Iterator[bytes]:
        """The names of the tars and of the members, and the sizes, as whole arrays."""
        yield repr([stamp.name for stamp in self.stamps]).encode()
        yield self.names.tobytes()
        for numbers in (self.tar, self.starts, self.sizes):
            yield np.ascontiguousarray(numbers, dtype="<i8").tobytes()
