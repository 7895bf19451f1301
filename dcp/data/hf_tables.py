"""What a Hugging Face data set holds: where it is, its columns of images and of labels. All in plain words."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from dcp.data import class_names
from dcp.data.folders import Folder
from dcp.data.image_folders import is_folder, listed
from dcp.errors import RequestError, printable


def from_disk(folder: Folder) -> Any:
    """What `save_to_disk` wrote: one split, or all by name.

    Raises:
        RequestError: "missing-folder" or "bad-dataset".
    """
    import datasets

    if not is_folder(folder):
        what = "is a file, not a folder" if os.path.exists(folder) else "does not exist"  # noqa: PTH110
        hint = "Give data.root the folder that save_to_disk wrote; a relative path starts at the current folder."
        raise RequestError(f"{folder} {what}", slug="missing-folder", where="data.root", hint=hint)
    try:
        return datasets.load_from_disk(os.fspath(folder))
    except Exception as error:  # the library's, pyarrow's and the system's
        hint = (
            f"load_dataset(...).save_to_disk(FOLDER) writes such a folder. The library says: {_first_line(error)}\n"
            'Image files have data.source = "folder", and tar files data.source = "shards".'
        )
        raise bad("this is no data set that save_to_disk wrote, or a damaged one", str(folder), hint) from None


def from_hub(name: str, config: str | None, *, fetches: bool) -> Any:
    """A data set of the hub, from the library's cache, or fetched.

    Raises:
        RequestError: "missing-data", it is not in the cache; "download-failed"; "bad-dataset", the name is a file's.
    """
    import datasets

    if os.path.exists(name):  # noqa: PTH110 - the library would take it
        hint = "Give a folder that save_to_disk wrote as data.root."
        raise bad("there is a file or folder of this name here, and data.name is a name on the hub", name, hint)
    with _offline(not fetches):
        try:
            return datasets.load_dataset(name, config)
        except Exception as error:  # the library's, the network's and the system's
            says = f"The library says: {_first_line(error)}"
            if fetches:
                hint = f"Is there a network, and are you allowed to read it? {says}"
                what, slug = "this data set could not be fetched", "download-failed"
            else:
                call = f"load_dataset({name!r}, {config!r})" if config else f"load_dataset({name!r})"
                hint = f"data.download = true fetches it. Without a network here: {call}.save_to_disk(FOLDER)\n"
                hint += f"where there is one, and data.root = FOLDER here. {says}"
                what, slug = "this data set is not in the cache of this machine", "missing-data"
            raise RequestError(what, slug=slug, where=name, hint=hint) from None


def image_column(given: str | None, table: Any) -> str:
    """The column of the images.

    Raises:
        RequestError: "bad-dataset", there is none of this name or type, or there are several.
    """
    import datasets

    images: list[str] = [name for name, kind in table.features.items() if isinstance(kind, datasets.Image)]
    if given is None and len(images) == 1:
        return images[0]
    columns = ", ".join(f"{name} ({getattr(kind, 'dtype', kind)})" for name, kind in table.features.items())
    hint = printable(f"Its columns: {columns[:500]}. Set data.column.")
    if given is None:
        what = f"there are {len(images)} columns of images" if images else "there is no column of images"
        raise bad(what, "data.column", hint)
    kind = table.features.get(given)
    if kind is None:
        raise bad(f'there is no column "{given}"', "data.column", hint)
    if not isinstance(kind, datasets.Image) and getattr(kind, "dtype", "") not in ("binary", "large_binary"):
        raise bad(f'the column "{given}" holds neither images nor their bytes', "data.column", hint)
    return given


def label_column(given: str | None, table: Any) -> str | None:
    """The column of the labels; None where there is none.

    Raises:
        RequestError: "bad-dataset", as `image_column`.
    """
    import datasets

    labels: list[str] = [name for name, kind in table.features.items() if isinstance(kind, datasets.ClassLabel)]
    columns = listed(list(table.features))
    if given is None and len(labels) > 1:
        what = f"there are {len(labels)} columns of labels: {listed(labels)}"
        raise bad(what, "data.label", "Set data.label to one of them.")
    if given is None:
        return labels[0] if labels else None
    kind = table.features.get(given)
    if kind is None:
        raise bad(f'there is no column "{given}"', "data.label", printable(f"Its columns: {columns}."))
    dtype = getattr(kind, "dtype", "")
    if dtype not in ("string", "large_string") and not str(dtype).startswith(("int", "uint")):
        what = f'the column "{given}" holds neither classes, nor whole numbers, nor names'
        raise bad(what, "data.label", printable(f"Its columns: {columns}."))
    return given


def labels(table: Any, column: str, shown: str) -> Any:
    """The labels [N] as numbers or text; None where no row has one.

    Raises:
        RequestError: "bad-label", some rows have one and others have none.
    """
    values = table.select_columns([column]).with_format("arrow")[:][column].combine_chunks()
    missing = np.asarray(values.is_null())
    array = values.fill_null(0 if str(values.type).startswith(("int", "uint")) else "").to_numpy(zero_copy_only=False)
    if array.dtype.kind in "iu":
        missing |= array == -1  # as the library marks them
    if missing.all():
        return None
    if missing.any():
        row = int(np.flatnonzero(missing)[0])
        raise class_names.bad(f"{missing.sum():,} rows have no label, and others have one", f"{shown}, row {row}")
    return array


def names(kind: Any) -> dict[int, str] | None:
    """The names of the classes of a column of type ClassLabel; None of another one."""
    found = getattr(kind, "names", None)
    return dict(enumerate(found)) if found else None


def bad(what: str, where: str, hint: str) -> RequestError:
    """The error for a data set that cannot be used."""
    return RequestError(printable(what), slug="bad-dataset", where=printable(where), hint=hint)


@contextmanager
def _offline(offline: bool) -> Iterator[None]:
    """No network, if so; the library decides when it is imported, and asks these two."""
    import datasets
    from huggingface_hub import constants

    places = (datasets.config, constants)
    before = [place.HF_HUB_OFFLINE for place in places]
    for place in places:
        place.HF_HUB_OFFLINE = offline or place.HF_HUB_OFFLINE
    try:
        yield
    finally:
        for place, value in zip(places, before, strict=True):
            place.HF_HUB_OFFLINE = value


def _first_line(error: Exception) -> str:
    return printable((str(error).strip().splitlines() or [type(error).__name__])[0][:200])
