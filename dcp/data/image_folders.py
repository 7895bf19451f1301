"""Folders of images: how folder names become classes, and what is said of the files that are left out.

Which files count says `dcp.data.image_names`.
"""

import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from dcp.data.datasets.base import Dataset, Split
from dcp.data.folders import Folder
from dcp.data.image_files import Files, top
from dcp.data.image_names import EXTENSIONS, OTHER, WITHOUT, is_image, kind, walk
from dcp.errors import RequestError, printable

LISTED = 20  # kinds of files in `Files.left_out`; the rarer ones are "other"
READ = f"Files that end in {', '.join(EXTENSIONS)} are read, in any case and at any depth, and those without an ending \
that begin as one of these."

Kinds = Counter[str]  # how many files of each kind


def images(folder: Path | Folder) -> Files:
    """All image files below `folder`, at any depth, sorted by relative path.

    Raises:
        RequestError: the folder does not exist, cannot be read, holds no image, or one that can never be read.
    """
    files, _ = _listed(folder)
    return files


def unlabelled(folder: Folder) -> Dataset:
    """All images below a folder.

    Raises:
        RequestError: as `images`.
    """
    files = images(folder)
    return Dataset(files, remarks=_left_out(files))


def labelled(train: Folder, test: Folder, split: Split) -> Dataset:
    """One split of two folders whose own folders are the classes; without those in `train`, or with one: unlabelled.

    Both folders are listed whichever split is asked for: a mismatch shows before hours of training.

    Raises:
        RequestError: no images, loose images beside class folders, a class folder without images, or classes that
            differ or look the same.
    """
    (files, kinds), (test_files, test_kinds) = _listed(train), _listed(test)
    remarks = (*_left_out(files), *_left_out(test_files))
    labels, classes = _classes(files, kinds)
    chosen = test_files if split == "test" else files
    if labels is None:
        return Dataset(chosen, remarks=remarks)
    test_labels, test_classes = _classes(test_files, test_kinds)
    if test_classes != classes:
        raise _differ(files, test_files, classes, test_classes)
    # a name that is no valid text is still a name of its own
    names = tuple(os.fsencode(name).decode(errors="backslashreplace") for name in classes)
    if len(names) == 1:  # whatever a network guesses would be right
        why = f'one class, "{printable(names[0])}": no labels'
        return Dataset(chosen, why_unlabelled=why, remarks=(why, *remarks))
    return Dataset(chosen, test_labels if split == "test" else labels, names, remarks=remarks)


def has_classes(folder: Folder) -> bool:
    """Whether images lie in two folders in `folder`, or more; no more images are looked for than that takes.

    Raises:
        RequestError: a folder may not be read.
    """
    folders = (top(name) for name in walk(folder) if is_image(folder, name))
    first = next(folders, b"")
    return bool(first) and any(other != first for other in folders)


def holds_image(folder: Folder) -> bool:
    """Whether there is an image below `folder`; the others are not looked for.

    Raises:
        RequestError: a folder may not be read.
    """
    return any(is_image(folder, name) for name in walk(folder))


def is_folder(path: Path | Folder) -> bool:
    """Whether there is such a folder that may be looked at; no error for a name that is too long to exist."""
    return os.path.isdir(path)  # noqa: PTH112 - unlike Path's, it never raises


def listed(names: Sequence[str], limit: int = 8) -> str:
    """The names, or the first of many."""
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")


def _listed(folder: Path | Folder) -> tuple[Files, Mapping[bytes, Kinds]]:
    """The images below `folder`; and the kinds of the other files, for each folder in it (b"" for itself)."""
    if not is_folder(folder):
        raise _missing(folder)
    names, others = list[bytes](), defaultdict[bytes, Kinds](Counter)
    for name in walk(folder):
        if is_image(folder, name):
            names.append(name)
        else:
            others[top(name)][kind(name)] += 1
    kinds = sum(others.values(), Counter[str]())
    if not names:
        content = f"it holds {_files(kinds)}" if kinds else "it is empty"
        raise RequestError(f"no images: {content}", slug="no-images", where=str(folder), hint=READ)
    left_out = dict(_commonest(kinds)[:LISTED])
    if rest := kinds.total() - sum(left_out.values()):
        left_out[OTHER] = left_out.get(OTHER, 0) + rest
    return replace(Files.listed(Path(folder), names), shown=str(folder), left_out=left_out), others


def _classes(files: Files, others: Mapping[bytes, Kinds]) -> tuple[Tensor | None, tuple[str, ...]]:
    """Labels int64 [N] and names of the folders that are the classes; (None, ()) without folders."""
    folders = [top(files.name(i)) for i in range(len(files))]
    names = sorted(set(folders))
    if names == [b""]:
        return None, ()
    if b"" in names:
        loose = files.path(folders.index(b"")).name
        what = f"images lie beside class folders ({len(names) - 1}), for example {loose}"
        hint = f"Move them into a class folder. {_without_labels(files.shown)}"
        raise RequestError(what, slug="mixed-folder", where=files.shown, hint=hint)
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


def _look(name: str) -> str:
    """The same for names that look the same: file systems keep "é" as one character, or as two."""
    return unicodedata.normalize("NFC", name)


def _escaped(name: str) -> str:
    return name.encode("ascii", "backslashreplace").decode()


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
    what = "is a file, not a folder" if os.path.exists(folder) else "does not exist"  # noqa: PTH110
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
        words.append(named.get(ending, f"{count} .{ending} {files}"))
    return listed(words)


def _commonest(kinds: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(kinds.items(), key=lambda each: (-each[1], each[0]))


def _without_labels(shown: str) -> str:
    return f'Or train without labels: source = "folder", root = "{shown.replace(os.sep, "/")}".'
