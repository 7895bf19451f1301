"""Which of the files below a folder are images, by their names.

A file counts if its name ends in one of `EXTENSIONS`, in any case, or if it has no ending and begins as an image does.
Names that begin with a dot are skipped, macOS's `._` companions among them. Each folder is read once, whatever links
lead to it, so links in a circle end. The order is that of the relative paths as bytes: the same on every machine and in
every language.
"""

import os
import re
from collections.abc import Iterator
from itertools import chain

from dcp.data.image_files import FORMATS
from dcp.data.regular_files import open_regular, special
from dcp.errors import RequestError

EXTENSIONS = tuple(chain(*FORMATS.values()))
WITHOUT = "no ending"  # the kind of a file without one
OTHER = "other"  # and of one whose ending is none that people use
SEPARATOR = os.fsencode(os.sep)

_IMAGES = frozenset(extension.encode() for extension in EXTENSIONS)
_ENDING = re.compile(rb"[a-z0-9_+-]{1,12}")
_LONGEST_BEGINNING = 16  # bytes
_BEGINNING = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|RIFF....WEBP|BM....\0\0\0\0|II[*+]\0|MM\0[*+]|GIF8[79]a|P[1-6fF]\s"
    rb"|\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51|....ftypavi[fs]",
    re.DOTALL,
)


def kind(name: bytes) -> str:
    """What kind of file a name says it is: its ending in lower case, without the dot."""
    ending = _ending(name)
    return (ending.decode() if _ENDING.fullmatch(ending) else OTHER) if ending else WITHOUT


def is_image(folder: str | os.PathLike[str], name: bytes) -> bool:
    """Whether the file with the relative path `name` counts; one without an ending is opened, if it is there."""
    ending = _ending(name)
    if ending:
        return ending in _IMAGES
    try:
        with open_regular(os.path.join(folder, os.fsdecode(name))) as file:  # noqa: PTH118
            return _BEGINNING.match(file.read(_LONGEST_BEGINNING)) is not None
    except OSError:
        return False


def walk(folder: str | os.PathLike[str]) -> Iterator[bytes]:
    """Relative paths of all files below `folder`, sorted, hidden ones left out.

    Raises:
        RequestError: a folder may not be read, or as `entries`.
    """
    root, seen = os.fsencode(folder), set[tuple[int, int]]()  # device and number of each folder
    waiting = [b""]  # relative paths, the next one last; a folder's ends in a separator
    while waiting:
        name = waiting.pop()
        if name and not name.endswith(SEPARATOR):
            yield name
            continue
        try:
            status = os.stat(os.path.join(root, name))  # noqa: PTH116, PTH118 - bytes
        except OSError as error:
            raise _unreadable(folder, name, error) from error
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        waiting.extend(name + entry for entry in reversed(entries(folder, name)))


def entries(folder: str | os.PathLike[str], below: bytes = b"") -> list[bytes]:
    """The names in the folder `below` another one, sorted, with a separator after a folder's; hidden ones left out.

    Raises:
        RequestError: it may not be read; or what has an image's name, or a folder's, can never be read.
    """
    try:
        with os.scandir(os.path.join(os.fsencode(folder), below)) as found:  # noqa: PTH118
            names = [(entry.name, _what(entry)) for entry in found if not entry.name.startswith(b".")]
    except OSError as error:
        raise _unreadable(folder, below, error) from error
    for name, what in names:
        ending = _ending(name)
        if what not in ("a file", "a folder") and (not ending or ending in _IMAGES):
            text, where = f"{'an image' if ending else 'a file or folder'} is {what}", _shown(folder, below + name)
            hint = "Put back what belongs there, or remove the name."
            raise RequestError(text, slug="unusable-image", where=where, hint=hint)
    return sorted(name + SEPARATOR if what == "a folder" else name for name, what in names)


def _ending(name: bytes) -> bytes:
    return os.path.splitext(name)[1][1:].lower()  # noqa: PTH122 - a hundred thousand Paths take seconds


def _what(entry: os.DirEntry[bytes]) -> str:
    """What lies at a name, where a link leads."""
    try:
        if entry.is_dir():
            return "a folder"
        if entry.is_file():
            return "a file"
        return special(entry.stat().st_mode)
    except OSError:  # a link to nothing, or to itself
        return "a link that leads to nothing"


def _shown(folder: str | os.PathLike[str], name: bytes) -> str:
    return os.path.join(str(folder), os.fsdecode(name))  # noqa: PTH118


def _unreadable(folder: str | os.PathLike[str], name: bytes, error: OSError) -> RequestError:
    what, hint = f"cannot read a folder: {error.strerror}", "Check its permissions, or move it out of the data."
    return RequestError(what, slug="unreadable-folder", where=_shown(folder, name).rstrip(os.sep), hint=hint)
