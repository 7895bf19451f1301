"""Images in a column of a Hugging Face data set: the bytes as they were saved, by row.

The library keeps a table in files that are mapped into memory: any row is read where it lies, and processes share it.
Its own decoder is not used, so that an image means what it means in a folder.
"""

import os
from collections.abc import Hashable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from torch import Tensor

from dcp.data.image_lists import ImageList, Numbers
from dcp.data.regular_files import open_regular
from dcp.data.values_look import evenly

AT_ONCE = 1000  # rows whose sizes are asked for
SAMPLED, PART = 256, 2**16  # rows whose bytes are part of the identity, and how many bytes, in the middle of each


@dataclass(frozen=True, eq=False)
class Rows(ImageList):
    """A list of rows with an image in each."""

    table: Any  # datasets.Dataset in arrow format, whose one column holds bytes, or bytes and a path
    column: str
    shown: str  # what messages call the table
    rows: Numbers  # [N]
    sizes: Numbers  # [N], in bytes; -1 where there is no image
    label: Numbers  # [N], -1 where there is none

    @classmethod
    def of(cls, table: Any, column: str, shown: str) -> "Rows":
        """All rows of a column; RunError where an image that lies in a file has gone."""
        sizes = np.concatenate([np.zeros(0, dtype=np.int64), *_sizes(table, column)])
        return cls(table, column, shown, np.arange(len(sizes)), sizes, np.full(len(sizes), -1))

    def __len__(self) -> int:
        return len(self.rows)

    def name(self, i: int) -> bytes:
        """The number of the row."""
        if not 0 <= i < len(self):
            raise IndexError(f"image {i} of {len(self)}")
        return b"row %d" % self.rows[i]

    def place(self, i: int) -> str:
        """What messages call image `i`: the table, and the number of the row."""
        return f"{self.shown}, {self.name(i).decode()}"

    def size(self, i: int) -> int:
        """Bytes of image `i`."""
        return int(self.sizes[i])

    def open(self, i: int) -> BinaryIO:
        """The bytes of image `i`.

        Raises:
            ValueError: there is none in the row, or it lies where this machine has no file.
            OSError: the file in which it lies cannot be read.
        """
        value = self.table[int(self.rows[i])][self.column][0].as_py()
        content, path = (value.get("bytes"), value.get("path")) if isinstance(value, dict) else (value, None)
        if content is not None:
            return BytesIO(content)
        if path is None:
            raise ValueError("there is no image in the row")
        if not os.path.isabs(path):  # noqa: PTH117
            raise ValueError(f"the row holds no bytes, and its path leads to no file of this machine: {path}")
        return open_regular(path)

    def group(self, i: int) -> Hashable:
        """Its label."""
        return int(self.label[i])

    def subset(self, index: Tensor) -> "Rows":
        """The images at `index` (int64 [M]), in that order."""
        chosen = index.numpy()
        return replace(self, rows=self.rows[chosen], sizes=self.sizes[chosen], label=self.label[chosen])

    def identity(self) -> Iterator[bytes]:
        """The numbers of the rows and the sizes, as whole arrays, and some bytes of a few images.

        Rows have no names, and images without compression one size: those of another table could be taken for these.
        """
        yield np.ascontiguousarray(self.rows, dtype="<i8").tobytes()
        yield np.ascontiguousarray(self.sizes, dtype="<i8").tobytes()
        for i in evenly(len(self), SAMPLED):
            with suppress(OSError, ValueError), self.open(i) as file:  # one that is not there has no bytes
                file.seek(max(0, self.size(i) - PART) // 2)
                yield file.read(PART)


def _sizes(table: Any, column: str) -> Iterator[Numbers]:
    import pyarrow as pa
    import pyarrow.compute as pc

    for part in table.iter(batch_size=AT_ONCE):
        values = part[column].combine_chunks()
        content = pc.struct_field(values, "bytes") if pa.types.is_struct(values.type) else values
        sizes: Numbers = np.asarray(pc.fill_null(pc.binary_length(content), -1)).astype(np.int64)
        if pa.types.is_struct(values.type):
            for row in np.flatnonzero(sizes < 0).tolist():
                path = values[row].as_py() and values[row].as_py()["path"]
                sizes[row] = _size(path) if path else -1
        yield sizes


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return -1
