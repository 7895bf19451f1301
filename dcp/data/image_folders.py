"""Folders of images: which files count, and how folder names become classes.

A file counts if its name ends in one of `EXTENSIONS`, in any case. Names that begin with a dot are skipped,
macOS's `._` companions among them. Each folder is read once, whatever links lead to it, so links in a circle
end. The order is that of the relative paths as bytes: the same on every machine and in every language.
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
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
    if not is_folder(folder):
        what = "is a file, not a folder" if os.path.exists(folder) else "does not exist"  # noqa: PTH110
        hint = "Give data.root the folder that holds the images; a relative path starts at the current folder."
        raise RequestError(f"{folder.absolute()} {what}", slug="missing-folder", where="data.root", hint=hint)
    names, others = [], Counter[bytes]()
    for name in _walk(folder):
        extension = _extension(name)
        if extension in _IMAGES:
            names.append(name)
        else:
            others[extension] += 1
    if names:
        return Files.listed(folder, names)
    kinds = []
    for extension, count in sorted(others.items(), key=lambda kind: (-kind[1], kind[0])):
        files = "file" if count == 1 else "files"
        ending = extension.decode(errors="replace")
        kinds.append(f"{count} .{ending} {files}" if ending else f"{count} {files} without an ending")
    content = f"it holds {_list(kinds)}" if kinds else "it is empty"
    hint = f"Files that end in {', '.join(EXTENSIONS)} are read, in any case and at any depth."
    raise RequestError(f"no images: {content}", slug="no-images", where=str(folder), hint=hint)


def labelled(train: Path, test: Path, split: Split) -> Dataset:
    """One split of two folders whose own folders are the classes; without those in `train`: unlabelled.

    Both folders are listed whichever split is asked for: a mismatch shows before hours of training.

    Raises:
        RequestError: no images, loose images beside class folders, or classes that differ.
    """
    train_images, test_images = images(train), images(test)
    labels, classes = _classes(train_images)
    if labels is None:
        return Dataset(test_images if split == "test" else train_images)
    test_labels, test_classes = _classes(test_images)
    if test_classes != classes:
        sides = ((train, {*classes} - {*test_classes}), (test, {*test_classes} - {*classes}))
        only = [f"only in {folder.name}/: {_list(sorted(names))}" for folder, names in sides if names]
        rule = f"A class is a folder with an image in it; both need the same ones. {_unlabelled(train)}"
        what, hint = f"{train.name}/ and {test.name}/ have different classes", "\n".join([*only, rule])
        raise RequestError(what, slug="classes-differ", where=str(train.parent), hint=hint)
    return Dataset(test_images, test_labels, classes) if split == "test" else Dataset(train_images, labels, classes)


def has_classes(folder: Path) -> bool:
    """Whether the first image below `folder` lies in a folder there; the others are not looked for.

    Raises:
        RequestError: a folder may not be read.
    """
    names = (name for name in _walk(folder) if _extension(name) in _IMAGES)
    return any(_SEPARATOR in name for name in islice(names, 1))


def is_folder(path: Path) -> bool:
    """Whether there is such a folder that may be looked at; no error for a name that is too long to exist."""
    return os.path.isdir(path)  # noqa: PTH112 - unlike Path's, it never raises


def _extension(name: bytes) -> bytes:
    return os.path.splitext(name)[1][1:].lower()  # noqa: PTH122 - a hundred thousand Paths take seconds


def _walk(folder: Path) -> Iterator[bytes]:
    """Relative paths of all files below `folder`, sorted, hidden ones left out."""
    root, seen = os.fsencode(folder), set[tuple[int, int]]()  # device and number of each folder
    waiting = [b""]  # relative paths, the next one last; a folder's ends in a separator
    while waiting:
        name = waiting.pop()
        if name and not name.endswith(_SEPARATOR):
            yield name
            continue
        path = os.path.join(root, name)  # noqa: PTH118 - bytes
        try:
            status = os.stat(path)  # noqa: PTH116 - bytes
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(path) as entries:
                names = sorted(filter(None, map(_visible, entries)), reverse=True)
        except OSError as error:
            what, where = f"cannot read a folder: {error.strerror}", os.fsdecode(path)
            hint = "Check its permissions, or move it out of the data."
            raise RequestError(what, slug="unreadable-folder", where=where, hint=hint) from error
        waiting.extend(name + entry for entry in names)


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
    """Labels int64 [N] and classes from the topmost folder of each path; (None, ()) without folders."""
    folders = [files.name(i).rpartition(_SEPARATOR)[0].partition(_SEPARATOR)[0] for i in range(len(files))]
    names = sorted(set(folders))
    if names == [b""]:
        return None, ()
    if b"" in names:
        loose = files.path(folders.index(b"")).name
        what = f"images lie beside class folders ({len(names) - 1}), for example {loose}"
        hint = f"Move them into a class folder. {_unlabelled(files.root)}"
        raise RequestError(what, slug="mixed-folder", where=str(files.root), hint=hint)
    number = {name: k for k, name in enumerate(names)}
    labels = torch.tensor([number[name] for name in folders])
    return labels, tuple(name.decode(errors="replace") for name in names)


def _unlabelled(folder: Path) -> str:
    return f'Or train without labels: source = "folder", root = "{folder.as_posix()}".'


def _list(names: Sequence[str], limit: int = 8) -> str:
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
