"""What a kind of files of features is: a module that is called as its suffix.

    PACKAGES, EXTRA                        what must be installed, and the extra of dcp that brings it
    files(out) -> [paths]                  all that it writes, `out` itself last: once that is there, all is
    wrote(out) -> bool                     whether dcp wrote what lies beside `out`; only where `files` has more than it
    write(table, lent) -> None             `lent[path]` is where the content of `path` goes
    read(out) -> features [N, D]           float32, of the file rather than of memory where that is possible

Legend: N images that could be read, D features of each.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dcp import catalogue
from dcp.errors import RequestError
from dcp.exporting import extras, one_writer

Features = npt.NDArray[np.float32]
KIND = "feature_files"


@dataclass(frozen=True, eq=False)
class Table:
    """What is written. The features, and the paths, never are in memory all at once."""

    rows: int  # N
    dim: int  # D
    parts: Callable[[], Iterator[Features]]  # little-endian float32, of some rows at a time, in order
    paths: Callable[[], Iterator[str]]  # one a row
    labels: npt.NDArray[np.int64] | None  # [N]
    classes: tuple[str, ...]
    about: dict[str, Any]  # JSON: run, encoder, source, what was left out


def of(out: Path) -> Any:
    """The module for a file of this name.

    Raises:
        RequestError: "bad-option", its suffix is none of those; "missing-package".
    """
    known, name = catalogue.names(KIND), out.suffix.lower().removeprefix(".")
    if name not in known:
        what = f'"{out.name}" says no format that features are written in'
        endings = ", ".join(f".{each}" for each in known)
        raise RequestError(what, slug="bad-option", where="--out", hint=f"FILE ends in {endings}")
    module = catalogue.load(KIND, name)
    extras.check(*module.PACKAGES, extra=module.EXTRA, what=f"a file of features ending in .{name}")
    return module


def check_out(out: Path, *, overwrite: bool) -> Any:
    """The kind of file that `out` is to be; refuses to replace what is there.

    Raises:
        RequestError: "bad-option", "missing-package", "file-exists".
    """
    kind = of(out)
    if out.is_dir():
        raise RequestError("this is a folder", slug="file-exists", where=str(out), hint="Give another FILE.")
    there = [path for path in kind.files(out) if os.path.lexists(path)]
    beside = [path for path in there if path != out]
    if beside and not kind.wrote(out):
        what = f"this lies where a file of {out.name} would, and dcp did not write it"
        hint = "Give another FILE, or move it away: --overwrite replaces FILE, and what dcp wrote beside it."
        raise RequestError(what, slug="file-exists", where=str(beside[-1]), hint=hint)
    # what lies beside it without FILE was being moved there when a process was killed, and the same command goes on
    begun = out not in there and os.path.lexists(one_writer.folder(out))
    if there and not overwrite and not begun:
        hint = "Give another FILE, or --overwrite."
        raise RequestError("this file is there already", slug="file-exists", where=str(there[-1]), hint=hint)
    return kind
