"""Archives are unpacked here: regular files and folders below one place, and nothing that leads out of it."""

import hashlib
import os
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO, cast

from dcp.data.regular_files import open_regular

PART = 1 << 20


class Refused(Exception):
    """An archive that is not unpacked, or not to the end; its text says why."""


def unpack(archive: Path, target: Path, md5: str) -> None:
    """Unpack a tar file, compressed or not, into a new folder `target`; its checksum is that of the bytes unpacked.

    Raises:
        Refused: another checksum; it is no tar file, or is cut short; or an entry has an absolute path, a `..` in its
            path, or is a link or a device. What came before such an entry has been unpacked.
        OSError: the disk does not allow it.
    """
    target.mkdir()
    with open_regular(archive) as file:
        hashed = _Hashed(file)
        try:
            with tarfile.open(fileobj=cast(BinaryIO, hashed), mode="r|*") as tar:
                for entry in tar:
                    _check(entry)
                    path = target.joinpath(*PurePosixPath(entry.name).parts)
                    if entry.isdir():
                        path.mkdir(parents=True, exist_ok=True)
                        continue
                    path.parent.mkdir(parents=True, exist_ok=True)
                    content = tar.extractfile(entry)
                    assert content is not None
                    with path.open("wb") as out:
                        shutil.copyfileobj(content, out, PART)
        except (tarfile.TarError, EOFError, zlib.error, ValueError) as error:
            raise Refused(f"it cannot be unpacked: {error}") from None
        while hashed.read(PART):
            pass  # what stands behind the last entry has a part in the checksum
        if hashed.digest.hexdigest() != md5:
            raise Refused("its checksum is not that of the original")


def move(source: Path, target: Path) -> None:
    """Give the folder `source` the place `target`; of what is there, files, and links to files, are replaced.

    Raises:
        OSError: the disk does not allow it, or `source` is not there.
    """
    try:
        source.rename(target)  # replaces an empty folder too
        return
    except OSError:
        if not target.is_dir():
            raise
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        if path.is_dir():
            place.mkdir(exist_ok=True)
        else:
            os.replace(path, place)  # noqa: PTH105 - the one call that is atomic on every system


def _check(entry: tarfile.TarInfo) -> None:
    path = PurePosixPath(entry.name)
    if path.is_absolute() or PureWindowsPath(entry.name).drive or "\\" in entry.name or ".." in path.parts:
        raise Refused(f"its entry {entry.name} leads out of the folder that it is unpacked in")
    if not (entry.isreg() or entry.isdir()):
        raise Refused(f"its entry {entry.name} is a link or a device")


class _Hashed:
    """A file that is read once, from the beginning to the end, and hashed on the way."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.digest = file, hashlib.md5(usedforsecurity=False)

    def read(self, size: int = -1) -> bytes:
        data = self.file.read(size)
        self.digest.update(data)
        return data
