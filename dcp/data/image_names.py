"""Which of the files below a folder are images, by their names.

A file counts if its name ends in one of `EXTENSIONS`, in any case, or if it has no ending and begins as an image does.
Hidden ones, whose name or a folder's on their path begins with a dot, do not count, and are named where somebody asks
for them. What systems and programs leave in folders (`LITTER`) is as good as not there. Each folder is read once,
whatever links lead to it, so links in a circle end. The order is that of the relative paths as bytes: the same on every
machine and in every language.
"""

import os
import re
from collections.abc import Iterator
from itertools import chain

from dcp.data.folders import Folder
from dcp.data.image_files import FORMATS
from dcp.data.regular_files import open_regular, special
from dcp.errors import RequestError

Identity = tuple[int, int]  # device and number of a file or a folder, whatever it is called

EXTENSIONS = tuple(chain(*FORMATS.values()))
WITHOUT = "no ending"  # the kind of a file without one
OTHER = "other"  # and of one whose ending is none that people use
HIDDEN = "hidden images"  # and of an image that is hidden, or in a hidden folder
SEPARATOR = os.fsencode(os.sep)
ARRAY = b"npy"  # counts where the recipe asks for more than bytes of red, green and blue

# of macOS, Synology, Windows, Jupyter, version control and file managers: small pictures of pictures, old versions
LITTER = re.compile(
    rb"\._.*|__MACOSX|@eaDir|\$RECYCLE\.BIN|"
    rb"\.(?:DS_Store|ipynb_checkpoints|AppleDouble|Trash.*|thumbnails|Spotlight-V100|fseventsd|git|hg|svn|dvc|cache)",
    re.DOTALL,
)

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
        return ending in _IMAGES or (ending == ARRAY and isinstance(folder, Folder) and folder.arrays)
    try:
        with open_regular(os.path.join(folder, os.fsdecode(name))) as file:  # noqa: PTH118
            return _BEGINNING.match(file.read(_LONGEST_BEGINNING)) is not None
    except OSError:
        return False


def is_hidden(name: bytes) -> bool:
    """Whether the last part of a relative path, or a folder on it, begins with a dot."""
    return name.startswith(b".") or SEPARATOR + b"." in name


def walk(
    folder: str | os.PathLike[str], *, hidden: bool = False, met: dict[Identity, list[bytes]] | None = None
) -> Iterator[tuple[bytes, int]]:
    """Relative paths of all files below `folder`, sorted; each with a number that another way to the file has too.

    Files that have the same number are most likely one; a file system may not know better.

    Args:
        folder: where to begin.
        hidden: whether hidden ones are among them.
        met: is filled with the folders, each with all the ways to it; a separator is at their end. No hidden ones.

    Raises:
        RequestError: a folder may not be read, or as `entries`. Of hidden ones neither is an error.
    """
    met, concealed = {} if met is None else met, set[Identity]()  # a way that is hidden must not hide the other
    waiting = [(b"", 0)]  # relative paths, the next one last; a folder's ends in a separator
    while waiting:
        name, number = waiting.pop()
        if name and not name.endswith(SEPARATOR):
            yield name, number
            continue
        try:
            itself = identity(folder, name)
            if is_hidden(name):
                known = itself in met or itself in concealed
                concealed.add(itself)
            else:
                known = itself in met
                met.setdefault(itself, []).append(name)
            if not known:
                inside = _scanned(folder, name, hidden=hidden, device=itself[0])
                waiting.extend((name + entry, number) for entry, number in reversed(inside))
        except RequestError:
            if not is_hidden(name):
                raise


def identity(folder: str | os.PathLike[str], below: bytes = b"") -> Identity:
    """Of the folder `below` another one.

    Raises:
        RequestError: it may not be entered.
    """
    try:
        # the dot is in it: the folder itself may be looked at where what is in it may be listed and not be opened
        status = os.stat(os.path.join(os.fsencode(folder), below, b"."))  # noqa: PTH116, PTH118 - bytes
    except OSError as error:
        raise unreadable(folder, below, error) from error
    return status.st_dev, status.st_ino


def entries(folder: str | os.PathLike[str]) -> list[bytes]:
    """The names in a folder, sorted, with a separator after a folder's; hidden ones and litter left out.

    Raises:
        RequestError: it may not be read; or what has an image's name, or a folder's, can never be read.
    """
    return [name for name, _ in _scanned(folder, b"", hidden=False, device=identity(folder)[0])]


def _scanned(folder: str | os.PathLike[str], below: bytes, *, hidden: bool, device: int) -> list[tuple[bytes, int]]:
    """The names in the folder `below` another one, as `entries`; each with its number, as `walk`."""
    try:
        with os.scandir(os.path.join(os.fsencode(folder), below)) as found:  # noqa: PTH118
            names = [
                (entry.name, _what(entry), _number(entry, device))
                for entry in found
                if (hidden or not entry.name.startswith(b".")) and not LITTER.fullmatch(entry.name)
            ]
    except OSError as error:
        raise unreadable(folder, below, error) from error
    for name, what, _ in names:
        ending = _ending(name)
        if what not in ("a file", "a folder") and not is_hidden(below + name) and (not ending or ending in _IMAGES):
            text, where = f"{'an image' if ending else 'a file or folder'} is {what}", _shown(folder, below + name)
            hint = "Put back what belongs there, or remove the name."
            raise RequestError(text, slug="unusable-image", where=where, hint=hint)
    return sorted((name + SEPARATOR if what == "a folder" else name, number) for name, what, number in names)


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
    except PermissionError:
        return "a link that leads where you may not look"
    except OSError:  # a link to nothing, or to itself
        return "a link that leads to nothing"


def _number(entry: os.DirEntry[bytes], device: int) -> int:
    """Of where it leads, without asking the disk again."""
    try:
        if entry.is_symlink():
            status = entry.stat()
            return hash((status.st_dev, status.st_ino))
        return hash((device, entry.inode())) if os.name == "posix" else 0  # elsewhere that would open each file
    except OSError:
        return 0


def _shown(folder: str | os.PathLike[str], name: bytes) -> str:
    return os.path.join(str(folder), os.fsdecode(name))  # noqa: PTH118


def unreadable(folder: str | os.PathLike[str], name: bytes, error: OSError) -> RequestError:
    """The error for the folder `name` below another one."""
    what, hint = f"cannot read a folder: {error.strerror}", "Check its permissions, or move it out of the data."
    return RequestError(what, slug="unreadable-folder", where=_shown(folder, name).rstrip(os.sep), hint=hint)
