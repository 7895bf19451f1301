"""Folders of tar files: which of them are the training images, and which the test images."""

import os
import re
from typing import NamedTuple

from dcp.data import image_folders, image_names
from dcp.data.folders import Folder
from dcp.data.regular_files import special
from dcp.data.split_folders import HELD_OUT, TRAIN
from dcp.errors import RequestError, printable

LAYOUTS = (
    "Tars lie in train/ and val/; or in one folder, with the word train or val in each name (x-train-0000.tar);\n"
    "or loose in one folder, without labels."
)
_COMPRESSED = re.compile(r".*\.(?:tar\.[a-z0-9]{1,4}|tgz|tbz2?|txz|tzst)", re.IGNORECASE)
_WORDS = re.compile(r"[a-z]+")


class Group(NamedTuple):
    """Tar files that belong together."""

    folder: Folder
    tars: tuple[str, ...]  # their names, sorted
    shown: str  # what messages call them


class Groups(NamedTuple):
    """The training tars, and those for testing where there are any."""

    train: Group
    test: Group | None
    beside: tuple[str, ...] = ()  # what is not read


def groups(root: Folder) -> Groups:
    """The tars in a folder, or in the folders of splits in it.

    Raises:
        RequestError: "missing-folder", "no-images" where there is no tar, "bad-shard" where one is compressed,
            "unknown-split" where nobody can say what is for testing, "linked-twice", or as `image_names.entries`.
    """
    if not image_folders.is_folder(root):
        raise _missing(root)
    entries = [os.fsdecode(name) for name in image_names.entries(root)]
    loose = _tars(root, entries)
    folders = [name.rstrip(os.sep) for name in entries if name.endswith(os.sep)]
    full = [name for name in folders if _tars(root / name, _entries(root / name))]
    if loose and full:
        raise _unknown(root, f"tars lie in {root} and in {image_folders.listed([f'{name}/' for name in full])}")
    if not loose and not full:
        kinds = {image_names.kind(os.fsencode(name)) for name in entries if not name.endswith(os.sep)}
        holds = f": it holds {image_folders.listed(sorted(kinds))}" if kinds else ""
        raise RequestError(f"no tar file{holds}", slug="no-images", where=str(root), hint=LAYOUTS)
    if loose:
        return _by_word(root, loose)
    by_split = _by_split(root, {name: (name.lower(),) for name in full})
    if None in by_split:
        others = by_split[None]
        if len(by_split) == 1:
            raise _unknown(root, f"tars lie in {image_folders.listed([f'{name}/' for name in others])}")
    groups = {
        split: Group(root / names[0], tuple(_tars(root / names[0], _entries(root / names[0]))), f"{names[0]}/")
        for split, names in by_split.items()
        if split is not None
    }
    for split, names in by_split.items():
        if split is not None and len(names) > 1:
            raise _unknown(root, f"{image_folders.listed([f'{name}/' for name in names])} are one split")
    return _chosen(root, groups, tuple(f"{name}/" for name in by_split.get(None, ())))


def _by_word(root: Folder, tars: list[str]) -> Groups:
    """Of tars in one folder: by the words in their names."""
    by_split = _by_split(root, {name: _WORDS.findall(name.lower().removesuffix(".tar")) for name in tars})
    if by_split.keys() == {None}:
        return Groups(Group(root, tuple(tars), str(root)), None)
    if None in by_split:
        what = f"{image_folders.listed(by_split[None])} beside tars of a split, as {by_split[_first(by_split)][0]}"
        raise _unknown(root, what)
    groups = {split: Group(root, tuple(names), f"tars of {split}") for split, names in by_split.items() if split}
    return _chosen(root, groups, ())


def _by_split(root: Folder, words: dict[str, "list[str] | tuple[str, ...]"]) -> dict[str | None, list[str]]:
    """Names by the split that a word in them is; None for those without such a word."""
    splits = {word: names[0] for names in (TRAIN, *HELD_OUT) for word in names}
    found: dict[str | None, list[str]] = {}
    for name, inside in words.items():
        meant = sorted({splits[word] for word in inside if word in splits})
        if len(meant) > 1:
            raise _unknown(root, f"{name} is called {' and '.join(meant)}")
        found.setdefault(meant[0] if meant else None, []).append(name)
    return found


def _chosen(root: Folder, groups: dict[str, Group], beside: tuple[str, ...]) -> Groups:
    """Training and test tars; where there are validation and test tars, the test split is the validation images."""
    test = next((groups[names[0]] for names in HELD_OUT if names[0] in groups), None)
    train = groups.get(TRAIN[0])
    if train is None:
        raise _unknown(root, f"there are {test.shown if test else 'no'} tars, and none for training")
    if test is None and beside:
        raise _unknown(root, f"tars lie in {image_folders.listed(beside)} beside {train.shown}")
    others = [group.shown for split, group in groups.items() if group not in (train, test)]
    if test is not None:
        ours, theirs = _identities(train), _identities(test)
        if both := sorted(ours.keys() & theirs.keys()):
            where = f"{train.folder / ours[both[0]]} and {test.folder / theirs[both[0]]}"
            hint = "One is a link to the other. Remove one of them."
            what = "the same tar file is for training and for testing"
            raise RequestError(what, slug="linked-twice", where=where, hint=hint)
    return Groups(train, test, (*beside, *others))


def _identities(group: Group) -> dict[tuple[int, int], str]:
    found = {}
    for name in group.tars:
        status = os.stat(group.folder / name)  # noqa: PTH116
        found[status.st_dev, status.st_ino] = name
    return found


def _first(by_split: dict[str | None, list[str]]) -> str | None:
    return next(split for split in by_split if split is not None)


def _entries(folder: Folder) -> list[str]:
    return [os.fsdecode(name) for name in image_names.entries(folder)]


def _tars(folder: Folder, entries: list[str]) -> list[str]:
    """The names of the tars among the entries of a folder."""
    for name in entries:
        if _COMPRESSED.fullmatch(name):
            what = "a tar file is compressed, and only a plain tar can be read in any order"
            hint = "Unpack it to .tar (gunzip, unzstd): JPEG and PNG are compressed already."
            raise RequestError(what, slug="bad-shard", where=str(folder / name), hint=hint)
    named = [name for name in entries if name.rstrip(os.sep).lower().endswith(".tar")]
    for name in named:
        if kind := "a folder" if name.endswith(os.sep) else _special(folder / name):
            hint = "Put back what belongs there, or remove the name."
            raise RequestError(f"a tar file is {kind}", slug="bad-shard", where=str(folder / name), hint=hint)
    return named


def _special(path: str | os.PathLike[str]) -> str:
    """What lies at a path where it is no file; "" where it is one."""
    try:
        return special(os.stat(path).st_mode)  # noqa: PTH116
    except PermissionError:
        return "a link that leads where you may not look"
    except OSError:  # a link to nothing, or to itself
        return "a link that leads to nothing"


def _unknown(root: Folder, what: str) -> RequestError:
    return RequestError(printable(what), slug="unknown-split", where=str(root), hint=LAYOUTS)


def _missing(root: Folder) -> RequestError:
    what = "is a file, not a folder" if os.path.exists(root) else "does not exist"  # noqa: PTH110
    hint = "Give data.root the folder that holds the tars; a relative path starts at the current folder."
    return RequestError(f"{root} {what}", slug="missing-folder", where="data.root", hint=hint)
