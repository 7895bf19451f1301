"""Images in tar files: read at their offsets, in any order, with nothing unpacked.

The order is that of the tars by name, then that in the tar. Offsets, sizes and names stand in arrays, which processes
share without copies. Each process opens the tars for itself, and keeps few of them open.
"""

import os
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from io import BytesIO
from typing import BinaryIO, NamedTuple

import numpy as np
from torch import Tensor

from dcp.data.folders import Folder
from dcp.data.image_lists import Bytes, ImageList, Numbers, joined
from dcp.data.regular_files import open_regular

MOST_OPEN = 1024  # tar files of a process, where the system lets it have twice as many files


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
    """The tar files that this process has open; another process, forked or not, opens them anew."""

    def __init__(self) -> None:
        self.process, self.files = os.getpid(), OrderedDict[str, Descriptor]()
        self.most = MOST_OPEN
        with suppress(ImportError, OSError):  # Windows has no such limit to ask for
            import resource

            limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            self.most = MOST_OPEN if limit == resource.RLIM_INFINITY else min(MOST_OPEN, max(1, limit // 2))

    def __reduce__(self) -> tuple[object, ...]:
        return (Opened, ())

    def read(self, path: str, stamp: Stamp, offset: int, size: int) -> bytes:
        """Bytes of a tar file; OSError as `Descriptor`."""
        if self.process != os.getpid():  # readers let go of what they inherit
            self.process, self.files = os.getpid(), OrderedDict()
        file = self.files.pop(path, None) or Descriptor(path)
        self.files[path] = file  # the last is that which was used last
        while len(self.files) > self.most:
            self.files.popitem(last=False)
        return file.read(stamp, offset, size)


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
    opened: Opened

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
        return BytesIO(self.opened.read(path, stamp, int(self.offset[i]), int(self.sizes[i])))

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
