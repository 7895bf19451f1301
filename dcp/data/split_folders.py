"""Which folders of images are splits: by their names, so that no image for testing is trained on unnoticed."""

import os
import re
from collections import defaultdict
from typing import NamedTuple

from dcp.data import image_folders, image_names
from dcp.data.folders import Folder
from dcp.data.image_lists import Files
from dcp.data.image_names import SEPARATOR
from dcp.errors import RequestError, printable

TRAIN = ("train", "training")
HELD_OUT = (("val", "valid", "validation"), ("test", "testing"))  # of several kinds the first is the test split

_LIKE = r"(?:(?:images?|imgs?|data)[-_ .]*)?(?:{})(?:[-_ .]*(?:sets?|data|images?|imgs?|pictures|photos|split|\d+))*"
_LIKE_TRAIN = re.compile(_LIKE.format("train(?:ing)?"))
_LIKE_HELD_OUT = re.compile(_LIKE.format("val|valid|validation|test|testing|dev|eval|evaluation|hold[-_ ]?out"))


class Splits(NamedTuple):
    """The folders of the training and of the test images."""

    train: Folder
    test: Folder
    beside: list[str]  # what else lies beside them that is or holds images


def splits(root: Folder) -> Splits | None:
    """The folders of the splits; None where all images below `root` are training images.

    Raises:
        RequestError: "unknown-split", images beside train/ may be meant for testing, there are images for testing and
            no train/, or two folders are one split.
    """
    if not image_folders.is_folder(root):
        return None
    entries = image_names.entries(root)
    folders = [os.fsdecode(name[:-1]) for name in entries if name.endswith(SEPARATOR)]
    train, *held_out = (_named(folders, names, root) for names in (TRAIN, *HELD_OUT))
    test = next((name for name in held_out if name is not None), None)
    if train is None and test is None:
        return None
    others = [name for name in folders if name not in (train, *held_out)]
    beside = [f"{name}/" for name in others if image_folders.holds_image(root / name)]
    loose = [name for name in entries if not name.endswith(SEPARATOR)]
    beside += [os.fsdecode(name) for name in loose if image_names.is_image(root, name)]
    if train is None:
        full = [name for name in held_out if name is not None and image_folders.holds_image(root / name)]
        if full:
            raise _without_train(root, full, beside)
        return None
    if test is not None:
        return Splits(root / train, root / test, beside)
    if not beside:
        return None
    hint = (
        "Are they for testing? Call their folder val or test.\n"
        f'Are they not? Move them away, or give the training images alone: data.root = "{root / train}".\n'
        f"Is {train}/ no split? Call it something else, and all images are for training."
    )
    what = f"images lie beside {train}/: {image_folders.listed(beside)}"
    raise RequestError(what, slug="unknown-split", where=str(root), hint=hint)


def further_down(root: Folder, files: Files) -> tuple[str, ...]:
    """What is to be said of folders below `root` that have a name of a split, where all of `files` are for training.

    Raises:
        RequestError: "unknown-split", two that lie side by side look like training and test images.
    """
    inside = defaultdict[bytes, set[bytes]](set)  # folder -> the names in it below which images are
    for folder in {files.name(i).rpartition(SEPARATOR)[0] for i in range(len(files))}:
        parts = folder.split(SEPARATOR) if folder else []
        for depth, part in enumerate(parts):
            inside[SEPARATOR.join(parts[:depth])].add(part)
    said: list[str] = []
    for above, folders in sorted(inside.items()):
        names = [os.fsdecode(name) for name in sorted(folders)]
        train = [name for name in names if _LIKE_TRAIN.fullmatch(name.lower())]
        held_out = [name for name in names if _LIKE_HELD_OUT.fullmatch(name.lower())]
        place = root / os.fsdecode(above) if above else root
        if train and held_out:
            raise _pair(place, train[0], held_out[0])
        said += [f"{place / name}" for name in held_out if name.lower() in (*HELD_OUT[0], *HELD_OUT[1])]
    return (printable(f"trained on too: {image_folders.listed(said)}"),) if said else ()


def _without_train(root: Folder, held_out: list[str], beside: list[str]) -> RequestError:
    names = " and ".join(f"{name}/" for name in held_out)
    one, others = len(held_out) == 1, [name for name in beside if name.endswith("/")]
    alone = root / (others[0][:-1] if others else held_out[0])
    hint = (
        f"Are there training images beside {'it' if one else 'them'}? Call their folder train.\n"
        f'Give images for training alone: data.root = "{alone}".\n'
        f"{'Is it no split' if one else 'Are they no splits'}? Call {'it' if one else 'them'} something else, and all "
        "images are for training."
    )
    what = f"{names} {'has' if one else 'have'} the name of test images, and no folder is called train"
    return RequestError(what, slug="unknown-split", where=str(root), hint=hint)


def _pair(place: Folder, train: str, held_out: str) -> RequestError:
    known = train.lower() in TRAIN and any(held_out.lower() in names for names in HELD_OUT)
    hint = (
        f'Are they? {"" if known else "Call them train and val. "}Give what holds both: data.root = "{place}".\n'
        f'For the training images alone: data.root = "{place / train}".\n'
        f"Are they no splits? Call {held_out}/ something else, and all images are for training."
    )
    what = f"{train}/ and {held_out}/ look like training and test images, and all would be trained on"
    return RequestError(what, slug="unknown-split", where=str(place), hint=hint)


def _named(folders: list[str], names: tuple[str, ...], root: Folder) -> str | None:
    """The folder that has one of these names, in any case."""
    found = [name for name in folders if name.lower() in names]
    if len(found) > 1:
        what, hint = f"{' and '.join(found)} are two folders for one split", "Merge them, or move one away."
        raise RequestError(what, slug="unknown-split", where=str(root), hint=hint)
    return found[0] if found else None
