"""Folders of images: how folder names become classes, and what is said of the files that are left out.

Which files count says `dcp.data.image_names`.
"""

import os
import unicodedata
from array import array
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from dcp.data.broken_files import UNTRAINED
from dcp.data.datasets.base import Dataset, Split
from dcp.data.folders import Folder
from dcp.data.image_lists import Files, top
from dcp.data.image_names import (
    EXTENSIONS,
    HIDDEN,
    OTHER,
    WITHOUT,
    Identity,
    is_hidden,
    is_image,
    kind,
    unreadable,
    walk,
)
from dcp.data.links import Kinds, Listing, check_apart, check_classes, class_of
from dcp.errors import RequestError, escaped, printable

LISTED = 20  # kinds of files in `Files.left_out`; the rarer ones are "other"
READ = f"Files that end in {', '.join(EXTENSIONS)} are read, in any case and at any depth, and those without an ending \
that begin as one of these."


ARRAYS = ".npy files are read with data.depth = 16, or another data.channels than 3."


def images(folder: Path | Folder) -> Files:
    """All image files below `folder`, at any depth, sorted by relative path.

    Raises:
        RequestError: the folder does not exist, cannot be read, holds no image, or one that can never be read.
    """
    return _listed(folder).files


def unlabelled(folder: Folder) -> Dataset:
    """All images below a folder.

    Raises:
        RequestError: as `images`.
    """
    files = images(folder)
    return Dataset(files, remarks=("no train/ with a val/: no classes, no test images", *_left_out(files)))


def labelled(train: Folder, test: Folder, split: Split) -> Dataset:
    """One split of two folders whose own folders are the classes; without those in `train`, or with one: unlabelled.

    Both folders are listed whichever split is asked for: a mismatch shows before hours of training.

    Raises:
        RequestError: no images, loose images beside class folders, a class folder without images, classes that differ
            or look the same, two that are one folder, or images that are in both folders.
    """
    listing, held_out = _listed(train), _listed(test)
    check_apart(listing, held_out)
    files, test_files = listing.files, replace(held_out.files, mending=UNTRAINED)
    labels, classes = _classes(listing)
    chosen, count = test_files if split == "test" else files, len(test_files)
    inside = f"{count:,} test image{'' if count == 1 else 's'} in {test.name}/"
    remarks = (*_left_out(files), *_left_out(test_files))
    if labels is None:
        return Dataset(chosen, remarks=(f"no classes; {inside}", *remarks))
    test_labels, test_classes = _classes(held_out)
    if test_classes != classes:
        raise _differ(files, test_files, classes, test_classes)
    remarks = (*_empty(train, listing), *_empty(test, held_out), *remarks)
    if len(classes) == 1:  # whatever a network guesses would be right
        why = f'one class, "{printable(classes[0])}": no labels'
        return Dataset(chosen, why_unlabelled=why, remarks=(why, inside, *remarks))
    names = tuple(escaped(os.fsencode(name)) for name in classes)
    remarks = (f"{len(classes):,} classes; {inside}", *remarks)
    return Dataset(chosen, test_labels if split == "test" else labels, names, remarks=remarks)


def has_classes(folder: Folder) -> bool:
    """Whether images lie in two folders in `folder`, or more; no more images are looked for than that takes.

    Raises:
        RequestError: a folder may not be read.
    """
    folders = (top(name) for name, _ in walk(folder) if is_image(folder, name))
    first = next(folders, b"")
    return bool(first) and any(other != first for other in folders)


def holds_image(folder: Folder) -> bool:
    """Whether there is an image below `folder`; the others are not looked for.

    Raises:
        RequestError: a folder may not be read.
    """
    return any(is_image(folder, name) for name, _ in walk(folder))


def is_folder(path: Path | Folder) -> bool:
    """Whether there is such a folder that may be looked at; no error for a name that is too long to exist."""
    return os.path.isdir(path)  # noqa: PTH112 - unlike Path's, it never raises


def listed(names: Sequence[str], limit: int = 8) -> str:
    """The names, or the first of many."""
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")


def _listed(folder: Path | Folder) -> Listing:
    if not is_folder(folder):
        raise _missing(folder)
    names, numbers, others = list[bytes](), array("q"), defaultdict[bytes, Kinds](Counter)
    folders: dict[Identity, list[bytes]] = {}
    for name, number in walk(folder, hidden=True, met=folders):
        if is_hidden(name):
            if is_image(folder, name):
                others[b"" if name.startswith(b".") else top(name)][HIDDEN] += 1
        elif is_image(folder, name):
            names.append(name)
            numbers.append(number)
        else:
            others[top(name)][kind(name)] += 1
    kinds = sum(others.values(), Counter[str]())
    if not names:
        content = f"it holds {_files(kinds)}" if kinds else "it is empty"
        raise RequestError(f"no images: {content}", slug="no-images", where=str(folder), hint=_read(folder))
    left_out = dict(_commonest(kinds)[:LISTED])
    if rest := kinds.total() - sum(left_out.values()):
        left_out[OTHER] = left_out.get(OTHER, 0) + rest
    files = replace(Files.listed(Path(folder), names), shown=str(folder), left_out=left_out)
    return Listing(files, others, numbers, folders)


def _read(folder: Path | Folder) -> str:
    """Which files are read."""
    if isinstance(folder, Folder) and folder.arrays:
        return f"{READ} So are .npy files."
    return f"{READ}\n{ARRAYS}"


def _classes(listing: Listing) -> tuple[Tensor | None, tuple[str, ...]]:
    """Labels int64 [N] and names of the folders that are the classes; (None, ()) without folders."""
    files, others = listing.files, listing.others
    folders = [top(files.name(i)) for i in range(len(files))]
    names = sorted(set(folders))
    if names == [b""]:
        return None, ()
    if b"" in names:
        loose = files.path(folders.index(b"")).name
        what = f"images lie beside class folders ({len(names) - 1}), for example {loose}"
        hint = f"Move them into a class folder. {_without_labels(files.shown)}"
        raise RequestError(what, slug="mixed-folder", where=files.shown, hint=hint)
    check_classes(listing)
    if barren := sorted(set(others) - {*names, b""}):
        what = f"a class folder without an image: it holds {_files(others[barren[0]])}"
        where = os.path.join(files.shown, os.fsdecode(barren[0]))  # noqa: PTH118
        raise RequestError(what, slug="no-images", where=where, hint=f"Move it away if it is no class. {READ}")
    classes = tuple(map(os.fsdecode, names))
    for look, count in Counter(map(_look, classes)).items():
        if count > 1:
            twins = " and ".join(_escaped(name) for name in classes if _look(name) == look)
            what, hint = f"{twins} look the same", "Merge the two folders, or rename one: they would be two classes."
            raise RequestError(what, slug="classes-alike", where=files.shown, hint=hint)
    number = {name: k for k, name in enumerate(names)}
    return torch.tensor([number[name] for name in folders]), classes


def _empty(folder: Folder, listing: Listing) -> tuple[str, ...]:
    """What is said of folders of classes in which nothing is."""
    folders = {class_of(way) for ways in listing.folders.values() for way in ways}
    full = {top(listing.files.name(i)) for i in range(len(listing.files))}
    names = [f"{os.fsdecode(name)}/" for name in sorted(folders - full - {b"", *listing.others})]
    return (printable(f"empty, so no class, in {folder.name}/: {listed(names)}"),) if names else ()


def _look(name: str) -> str:
    """The same for names that look the same: file systems keep "é" as one character, or as two."""
    return unicodedata.normalize("NFC", name)


def _escaped(name: str) -> str:
    return printable(name).encode("ascii", "backslashreplace").decode()


def _differ(train: Files, test: Files, classes: Sequence[str], test_classes: Sequence[str]) -> RequestError:
    lines, looks = [], {_look(name) for name in classes} & {_look(name) for name in test_classes}
    for files, own, other in ((train, classes, test_classes), (test, test_classes, classes)):
        only = [_escaped(name) if _look(name) in looks else name for name in own if name not in other]
        lines += [f"only in {files.root.name}/: {listed(only)}"] if only else []
    folder = os.path.dirname(train.shown)  # noqa: PTH120
    lines.append(f"A class is a folder with an image in it; both need the same ones. {_without_labels(train.shown)}")
    what = f"{train.root.name}/ and {test.root.name}/ have different classes"
    return RequestError(what, slug="classes-differ", where=folder, hint="\n".join(lines))


def _missing(folder: Path | Folder) -> RequestError:
    shown = str(Path(folder).absolute()) if str(folder) == os.fspath(folder) else str(folder)
    try:
        os.stat(folder)  # noqa: PTH116
        what = "is a file, not a folder"
    except PermissionError as error:
        return unreadable(folder, b"", error)
    except (OSError, ValueError):
        what = "does not exist"
    hint = "Give data.root the folder that holds the images; a relative path starts at the current folder."
    try:
        beside = [path.name for path in Path(folder).parent.iterdir() if _look(path.name) == _look(Path(folder).name)]
    except (OSError, ValueError):
        beside = []
    if beside and "not exist" in what:
        hint += f"\n{_escaped(beside[0])} is there, which looks like {_escaped(Path(folder).name)}."
    return RequestError(f"{shown} {what}", slug="missing-folder", where="data.root", hint=hint)


def _left_out(files: Files) -> tuple[str, ...]:
    """What is said of the files below a folder that are no images; nothing if there are none."""
    return (printable(f"not read in {files.shown}: {_files(files.left_out)}"),) if files.left_out else ()


def _files(kinds: Mapping[str, int]) -> str:
    """Numbers of files in words, the commonest kind first."""
    words = []
    for ending, count in _commonest(kinds):
        files = "file" if count == 1 else "files"
        named = {WITHOUT: f"{count} {files} without an ending", OTHER: f"{count} other {files}"}
        named[HIDDEN] = f"{count} hidden image{'' if count == 1 else 's'}"
        words.append(named.get(ending, f"{count} .{ending} {files}"))
    return listed(words)


def _commonest(kinds: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(kinds.items(), key=lambda each: (-each[1], each[0]))


def _without_labels(shown: str) -> str:
    return f'Or train without labels: source = "folder", root = "{shown.replace(os.sep, "/")}".'
