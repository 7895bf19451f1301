"""Tar files as they lie on disk: where the bytes of each member begin. Headers are read, and nothing is unpacked.

Known are the formats that people have: v7, ustar, GNU (long names, large sizes) and PAX (paths, sizes). Python's own
`tarfile` takes a damaged header in the middle for the end, and is ten times slower.
"""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

BLOCK = 512
NOTHING = bytes(BLOCK)
LONGEST = 2**20  # bytes of a long name or of a PAX header
NEAR, FAR = 2**18, 2**12  # bytes that are read at once where members are small, and where they are large
COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
KINDS = {b"0": "file", b"\0": "file", b"7": "file", b"1": "link", b"2": "link", b"5": "folder", b"S": "sparse"}
WITHOUT_DATA = (b"1", b"2", b"3", b"4", b"5", b"6")  # links, devices, folders and FIFOs, whatever size they claim


class BadTar(Exception):
    """A tar file that cannot be used; its text says why."""


class Member(NamedTuple):
    """What stands at one place of a tar file."""

    name: bytes
    offset: int  # of the first byte of its content
    size: int  # of the content, in bytes
    kind: str  # "file", "link", "folder", "sparse" or "special"


class Tar:
    """A tar file that is open for reading.

    Args:
        file: at whatever position.
        size: of the file in bytes.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.size = file, size
        self._start, self._buffer = 0, b""

    def read(self, offset: int, count: int) -> bytes:
        """`count` bytes from `offset` on; fewer where the file ends."""
        at = offset - self._start
        if not 0 <= at <= at + count <= len(self._buffer):
            ahead = NEAR if 0 <= at <= len(self._buffer) + FAR else FAR
            self.file.seek(offset)
            self._start, self._buffer, at = offset, self.file.read(max(count, ahead)), 0
        return self._buffer[at : at + count]

    def members(self) -> Iterator[Member]:
        """All that is in it, in order.

        Raises:
            BadTar: it is compressed, no tar file, damaged or cut short; or something stands behind its end.
            OSError: it cannot be read.
        """
        position, long_name, pax = 0, b"", dict[bytes, bytes]()
        while True:
            header = self.read(position, BLOCK)
            if len(header) < BLOCK:
                no_end = "it is cut short: the mark at its end is missing"
                raise BadTar(no_end if position else self._no_tar(header))
            if header == NOTHING:
                self._check_end(position)
                return
            if sum(header) - sum(header[148:156]) + 256 != _number(header[148:156]):
                raise BadTar(f"it is damaged at byte {position:,}" if position else self._no_tar(header))
            kind, size = header[156:157], _number(header[124:136])
            if b"size" in pax:
                size = int(pax[b"size"]) if pax[b"size"].isdigit() else -1
            offset = position + BLOCK
            length = 0 if kind in WITHOUT_DATA else size
            more = kind == b"S" and header[482] != 0
            while more:  # headers that say where a sparse file has holes
                more, offset = self.read(offset, BLOCK)[504:505] not in (b"", b"\0"), offset + BLOCK
            if length < 0 or offset + length > self.size:
                raise BadTar(f"it is cut short: a member at byte {position:,} does not end in its {self.size:,} bytes")
            if kind in (b"L", b"K", b"x", b"g", b"X"):
                if size > LONGEST:
                    raise BadTar(f"it is damaged at byte {position:,}: a name of {size:,} bytes")
                content = self.read(offset, size)
                if kind == b"L":
                    long_name = content.partition(b"\0")[0]
                if kind in (b"x", b"X"):
                    pax = _pax(content, position)
            else:
                sparse = any(key.startswith(b"GNU.sparse.") for key in pax)
                name = pax.get(b"path") or long_name or _name(header)
                what = "sparse" if sparse else KINDS.get(kind, "special")
                yield Member(name, offset, size, "folder" if what == "file" and name.endswith(b"/") else what)
                long_name, pax = b"", {}
            position = offset + -(-length // BLOCK) * BLOCK

    def _check_end(self, position: int) -> None:
        """Where two tar files were joined, what follows the end of the first would be missing unnoticed."""
        if self.read(position, NEAR).strip(b"\0"):
            raise BadTar(f"something stands behind its end at byte {position:,}: were two tar files joined?")

    def _no_tar(self, header: bytes) -> str:
        if not header:
            return "it is empty"
        kind = next((name for begins, name in COMPRESSED.items() if header.startswith(begins)), None)
        if kind:
            return f"it is compressed ({kind}), and only a plain tar can be read in any order"
        return "it is no tar file"


def _number(field: bytes) -> int:
    """A number as tar has it, octal or binary; -1 where it is neither."""
    if field[0] in (0x80, 0xFF):
        return int.from_bytes(field[1:], "big") if field[0] == 0x80 else -1
    text = field.strip(b" \0")
    try:
        return int(text, 8) if text else 0
    except ValueError:
        return -1


def _name(header: bytes) -> bytes:
    name = header[:100].partition(b"\0")[0]
    prefix = header[345:500].partition(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    return b"%s/%s" % (prefix, name) if prefix else name


def _pax(content: bytes, position: int) -> dict[bytes, bytes]:
    """The records "LENGTH KEY=VALUE" of a PAX header."""
    found: dict[bytes, bytes] = {}
    while content.strip(b"\0"):
        digits, _, _ = content.partition(b" ")
        length = int(digits) if digits.isdigit() and len(digits) < 9 else 0
        record = content[len(digits) + 1 : length]
        key, equals, value = record.partition(b"=")
        if not equals or not value.endswith(b"\n"):
            raise BadTar(f"it is damaged at byte {position:,}: a header that is none")
        found[key] = value[:-1]
        content = content[length:]
    return found
