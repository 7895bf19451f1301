"""What is done of a file of features, so that an interrupted `dcp embed` goes on where it was.

The first line is a JSON object that says what the features are of. Parts follow, one a batch:

    "dcpF", images, rows, bytes of the JSON, CRC-32       20 bytes, little-endian
    [[image, "why it is left out"], ...] as JSON          nothing where all could be read
    rows of float32

A part counts if its checksum is right. What comes after the first that does not is cut off: the process was killed, or
the machine went down, while it was being written.
"""

import contextlib
import json
import os
import struct
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from dcp.errors import RequestError
from dcp.exporting.feature_files.base import Features
from dcp.exporting.one_writer import FEATURES, Verify, folder
from dcp.runs.disk import in_plain_words
from dcp.runs.own_files import descriptor

_HEAD, _MAGIC = struct.Struct("<4sIIII"), b"dcpF"
_LONGEST = 2**16  # bytes of the first line
FLUSHED_EVERY_S = 30.0


@dataclass(frozen=True)
class Part:
    """What became of one batch."""

    images: int  # of the batch
    features: Features  # [rows, D], of the images that could be read
    left_out: list[tuple[int, str]] = field(default_factory=list)  # number of an image, and why


class Partial:
    """What is done, open for the process that has the folder (`one_writer.held`).

    Args:
        out: the file that it is going to be.
        about: what its features are of; one that says otherwise is somebody's work.
        verify: raises where another process has taken over.
        anew: whether such work is replaced.

    Attributes:
        images: how many are done.
        rows: features of them.

    Raises:
        RequestError: "partial-differs".
        RunError: "disk-full" or "cannot-write".
    """

    def __init__(self, out: Path, about: dict[str, Any], *, verify: Verify, anew: bool = False) -> None:
        self.folder, self.about, self.verify = folder(out), about, verify
        self.path = self.folder / FEATURES
        self.images = self.rows = 0
        self.left_out: list[tuple[int, str]] = []
        with in_plain_words(self.path):
            self.file: IO[bytes] = os.fdopen(descriptor(self.path, os.O_RDWR | os.O_CREAT), "r+b", buffering=0)
        try:
            self._open(anew)
        except BaseException:
            self.file.close()
            raise
        self._flushed = time.monotonic()

    def __enter__(self) -> "Partial":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()

    def add(self, part: Part) -> None:
        """Write down one batch more.

        Raises:
            RunError: "disk-full" or "cannot-write"; as `verify`.
        """
        said = json.dumps(part.left_out).encode() if part.left_out else b""
        rows = np.ascontiguousarray(part.features, dtype="<f4")
        payload = said + rows.tobytes()
        head = _HEAD.pack(_MAGIC, part.images, len(rows), len(said), zlib.crc32(payload))
        self.verify(False)
        with in_plain_words(self.path):
            _write_all(self.file, head + payload)
            if time.monotonic() - self._flushed > FLUSHED_EVERY_S:
                os.fsync(self.file.fileno())
                self._flushed = time.monotonic()
        self._count(part)

    def parts(self) -> Iterator[Part]:
        """All that is there, in order; a part is in memory at a time."""
        self.file.seek(self._begin)
        while (part := self._next()) is not None:
            yield part

    def remove(self) -> None:
        """It has become the file."""
        self.file.close()  # first: Windows removes no file that is open
        with contextlib.suppress(OSError):
            self.path.unlink()

    def _open(self, anew: bool) -> None:
        line = self._first_line()
        if line and line != self.about and not anew:
            raise self._differs(line)
        if not line or line != self.about:
            text = self._text()
            with in_plain_words(self.path):
                self.file.seek(0)
                self.file.truncate()
                _write_all(self.file, text)
            self._begin = len(text)
            return
        for part in self.parts():
            self._count(part)
            self._end = self.file.tell()
        with in_plain_words(self.path):
            self.file.truncate(self._end)
            self.file.seek(self._end)

    def _text(self) -> bytes:
        return json.dumps(self.about, sort_keys=True).encode() + b"\n"

    def _first_line(self) -> dict[str, Any]:
        """What the file says of itself; empty where nothing is in it, or no more than the beginning of our own."""
        text = self.file.read(_LONGEST)
        line = text.partition(b"\n")[0]
        self._begin = self._end = len(line) + 1
        if self._text().startswith(text) and len(text) < len(self._text()):
            return {}
        try:
            content = json.loads(line)
        except ValueError:
            content = None
        if not isinstance(content, dict) or not content.keys() >= {"run", "encoder", "images"}:
            what = "this is no file of dcp's"
            raise RequestError(what, slug="partial-differs", where=str(self.path), hint="Move it away.")
        return content

    def _next(self) -> Part | None:
        head = _read_all(self.file, _HEAD.size)
        if len(head) < _HEAD.size:
            return None
        magic, images, rows, length, crc = _HEAD.unpack(head)
        size = length + 4 * rows * self.about["features"]
        if magic != _MAGIC or rows > images or size > os.fstat(self.file.fileno()).st_size:
            return None
        payload = _read_all(self.file, size)
        if len(payload) < size or zlib.crc32(payload) != crc:
            return None
        left_out = [(int(i), str(why)) for i, why in json.loads(payload[:length])] if length else []
        features = np.frombuffer(payload, dtype="<f4", offset=length).reshape(rows, self.about["features"])
        return Part(images, features, left_out)

    def _count(self, part: Part) -> None:
        self.images += part.images
        self.rows += len(part.features)
        self.left_out += part.left_out

    def _differs(self, line: dict[str, Any]) -> RequestError:
        keys = sorted(key for key in {*line, *self.about} if line.get(key) != self.about.get(key))
        shown = ", ".join(f"{key} {line.get(key)} there, {self.about.get(key)} here" for key in keys)
        hint = "Give the same command as then; or --overwrite, to begin anew; or another FILE."
        what = f"what was begun here is of other features: {shown}"
        return RequestError(what, slug="partial-differs", where=str(self.folder), hint=hint)


def _write_all(file: IO[bytes], data: bytes) -> None:
    """Write all; a file without a buffer may take less at a time."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _read_all(file: IO[bytes], size: int) -> bytes:
    parts = []
    while size and (data := file.read(size)):
        parts.append(data)
        size -= len(data)
    return b"".join(parts)
