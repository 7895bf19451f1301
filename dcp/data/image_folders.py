"""Folders of images: which files count, and how folder names become classes.

A file counts if its name ends in one of `EXTENSIONS`, in any case. Names that begin with a dot are skipped,
macOS's `._` companions among them. Each folder is read once, whatever links lead to it, so links in a circle
end. The order is that of the relative paths as bytes: the same on every machine and in every language.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from dcp.data.datasets.base import Dataset, Split
from dcp.data.image_files import Files
from dcp.errors import RequestError

EXTENSIONS = ("jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "gif", "ppm")

_IMAGES = frozenset(extension.encode() for extension in EXTENSIONS)
_SEPARATOR = os.fsencode(os.sep)


def images(folder: Path) -> Files:
    """All image files below `folder`, at any depth, sorted by relative path.

    Raises:
        RequestError: the folder does not exist, cannot be read, or holds no image.
    """
    require(folder)
    found: list[bytes] = []
    others: Counter[bytes] = Counter()
    for name in _walk(folder):
        if _is_image(name):
            found.append(name)
        else:
            others[_extension(name)] += 1
    if not found:
        raise _no_images(folder, others)
    return Files.listed(folder, found)


def labelled(train: Path, test: Path, split: Split) -> Dataset:
    """One split of two folders whose own folders are the classes; without those in `train`: unlabelled.

    Both folders are listed whichever split is asked for: a mismatch shows before hours of training.

    Raises:
        RequestError: no images, loose images beside class folders, or classes that differ.
    """
    learning, testing = images(train), images(test)
    labels, classes = _classes(learning)
    if labels is None:
        return Dataset(testing if split == "test" else learning)
    test_labels, test_classes = _classes(testing)
    if test_classes != classes:
        raise _difference(train, classes, test, test_classes)
    return Dataset(testing, test_labels, classes) if split == "test" else Dataset(learning, labels, classes)


def has_classes(folder: Path) -> bool:
    """Whether the first image below `folder` lies in a folder there; the others are not looked for.

    Raises:
        RequestError: a folder may not be read.
    """
    return any(_SEPARATOR in name for name in islice(filter(_is_image, _walk(folder)), 1))


def is_folder(path: Path) -> bool:
    """Whether there is such a folder that may be looked at; no error for a name that is too long to exist."""
    return os.path.isdir(path)  # noqa: PTH112 - unlike Path's, it never raises


def _extension(name: bytes) -> bytes:
    return os.path.splitext(name)[1][1:].lower()  # noqa: PTH122 - a hundred thousand Paths take seconds


def _is_image(name: bytes) -> bool:
    return _extension(name) in _IMAGES


def require(folder: Path) -> None:
    """RequestError unless `folder` is a folder."""
    if not is_folder(folder):
        what = "is a file, not a folder" if os.path.exists(folder) else "does not exist"  # noqa: PTH110
        hint = "Give data.root the folder that holds the images; a relative path starts at the current folder."
        raise RequestError(f"{folder.absolute()} {what}", slug="missing-folder", where="data.root", hint=hint)


def _walk(folder: Path) -> Iterator[bytes]:
    """Relative paths of all files below `folder`, sorted, hidden ones left out."""
    root, seen = os.fsencode(folder), set[tuple[int, int]]()
    waiting = [b""]  # relative paths, the next one last; a folder's ends in a separator
    while waiting:
        name = waiting.pop()
        if name and not name.endswith(_SEPARATOR):
            yield name
            continue
        inside = _entries(os.path.join(root, name), seen)  # noqa: PTH118 - bytes
        waiting.extend(name + entry for entry in sorted(inside, reverse=True))


def _entries(path: bytes, seen: set[tuple[int, int]]) -> list[bytes]:
    """Names in one folder; none if it is among the `seen` (device, number), to which it is added."""
    try:
        status = os.stat(path)  # noqa: PTH116 - bytes
        identity = status.st_dev, status.st_ino
        if identity in seen:
            return []
        seen.add(identity)
        with os.scandir(path) as entries:
            return [name for entry in entries if (name := _visible(entry))]
    except OSError as error:
        what, where = f"cannot read a folder: {error.strerror}", os.fsdecode(path)
        hint = "Check its permissions, or move it out of the data."
        raise RequestError(what, slug="unreadable-folder", where=where, hint=hint) from error


def _visible(entry: os.DirEntry[bytes]) -> bytes:
    """The name, with a separator after a folder's; empty for what is hidden, dangling or of another kind."""
    try:
        if entry.name.startswith(b"."):
            return b""
        if entry.is_dir():
            return entry.name + _SEPARATOR
        return entry.name if entry.is_file() else b""
    except OSError:  # a link that leads to itself
        return b""


def _classes(files: Files) -> tuple[Tensor | None, tuple[str, ...]]:
    """Labels int64 [N] and classes from the first folder of each path; (None, ()) without folders."""
    folders = [files.name(i).rpartition(_SEPARATOR)[0].partition(_SEPARATOR)[0] for i in range(len(files))]
    names = sorted(set(folders))
    if names == [b""]:
        return None, ()
    if b"" in names:
        raise _mixed(files, folders.index(b""), len(names) - 1)
    number = {name: k for k, name in enumerate(names)}
    labels = torch.tensor([number[name] for name in folders])
    return labels, tuple(name.decode(errors="replace") for name in names)


def _no_images(folder: Path, others: Counter[bytes]) -> RequestError:
    kinds = [_files(count, ending) for ending, count in sorted(others.items(), key=_by_count)]
    held = f"it holds {_some(kinds)}" if kinds else "it is empty"
    hint = f"Files that end in {', '.join(EXTENSIONS)} are read, in any case and at any depth."
    return RequestError(f"no images: {held}", slug="no-images", where=str(folder), hint=hint)


def _by_count(item: tuple[bytes, int]) -> tuple[int, bytes]:
    return -item[1], item[0]


def _files(count: int, ending: bytes) -> str:
    files = "file" if count == 1 else "files"
    return f"{count} .{ending.decode(errors='replace')} {files}" if ending else f"{count} {files} without an ending"


def _mixed(files: Files, loose: int, classes: int) -> RequestError:
    what = f"images lie beside class folders ({classes}), for example {files.path(loose).name}"
    hint = f"Move them into a class folder. {_unlabelled(files.root)}"
    return RequestError(what, slug="mixed-folder", where=str(files.root), hint=hint)


def _difference(train: Path, classes: tuple[str, ...], test: Path, found: tuple[str, ...]) -> RequestError:
    missing, extra = sorted({*classes} - {*found}), sorted({*found} - {*classes})
    sides = ((train, missing), (test, extra))
    only = [f"only in {folder.name}/: {_some(names)}" for folder, names in sides if names]
    rule = f"A class is a folder with an image in it; both need the same ones. {_unlabelled(train)}"
    what, hint = f"{train.name}/ and {test.name}/ have different classes", "\n".join([*only, rule])
    return RequestError(what, slug="classes-differ", where=str(train.parent), hint=hint)


def _unlabelled(folder: Path) -> str:
    return f'Or train without labels: source = "folder", root = "{folder.as_posix()}".'


def _some(names: Iterable[str], most: int = 8) -> str:
    listed = list(names)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
