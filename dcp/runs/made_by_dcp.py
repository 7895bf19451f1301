"""Whose a file is: dcp replaces only what it has written itself, which each of its files outside of a run says."""

import os
from collections.abc import Iterable
from pathlib import Path

from dcp.errors import RequestError
from dcp.runs.json_files import read_json
from dcp.runs.own_files import open_file

MARK = "Written by dcp"  # somewhere in every page, table and chart; JSON says it by its "schema"


def marked(markdown: str) -> bytes:
    """The content of a Markdown file that says so where readers do not see it."""
    return f"{markdown}\n<!-- {MARK} -->\n".encode()


def check_made_by_dcp(folder: Path, names: Iterable[str]) -> None:
    """Refuse to replace files of these names in `folder` that somebody else has made.

    JSON that cannot be parsed is a damaged file of dcp where others beside it are dcp's.

    Args:
        folder: that is written into; it may be missing.
        names: of the files that are to be written.

    Raises:
        RequestError: "files-exist".
    """
    there = {name: made_by_dcp(folder / name) for name in names if os.path.lexists(folder / name)}
    for name, ours in there.items():
        if not ours and not (any(there.values()) and _is_damaged(folder / name)):
            hint = "Move it, or choose another folder: dcp replaces only what it has written itself."
            what = f"{name} is there, and is not dcp's"
            raise RequestError(what, slug="files-exist", where=str(folder), hint=hint)


def made_by_dcp(path: Path) -> bool:
    """Whether dcp has written what is at `path`; of what cannot be read, and of links, it has not."""
    try:
        if path.suffix == ".json":
            return "schema" in read_json(path)
        with open_file(path, "rb") as file:
            return MARK.encode() in file.read()
    except (OSError, RequestError):
        return False


def _is_damaged(path: Path) -> bool:
    """Whether it is a file of JSON that cannot be parsed."""
    try:
        if path.suffix == ".json" and not path.is_symlink():
            read_json(path)
    except RequestError:
        return True
    return False
