"""The last step of `dcp embed`: what is kept in FILE.partial becomes FILE, and what belongs beside it.

Legend: N images that could be read.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dcp.errors import RunError
from dcp.exporting.feature_files import base
from dcp.exporting.feature_files.base import Features, Table
from dcp.exporting.one_writer import workshop
from dcp.exporting.partial import Partial
from dcp.exporting.source import Images
from dcp.runs.disk import in_plain_words


def finish(
    kind: Any, out: Path, partial: Partial, images: Images, about: dict[str, Any], *, overwrite: bool
) -> tuple[Path, ...]:
    """Make the file and what belongs beside it; at any time `out` is whole, with all that is its own, or not there.

    Raises:
        RequestError: "file-exists".
        RunError: "disk-full", "cannot-write" or "lease-lost".
    """
    rows = kept(images, partial.left_out)
    labels = images.data.labels
    table = Table(
        partial.rows,
        about["features"],
        lambda: _features(partial),
        lambda: (images.path(i) for i in rows),
        None if labels is None else (labels if len(rows) == len(labels) else labels[list(rows)]).cpu().numpy(),
        images.data.classes,
        about,
    )
    paths: list[Path] = kind.files(out)
    with workshop(out) as folder:
        lent = {path: folder / path.name for path in paths}
        with in_plain_words(out):
            kind.write(table, lent)
            written = [path for path in paths if lent[path].exists()]
            for path in written:
                with lent[path].open("rb+") as file:
                    os.fsync(file.fileno())
        partial.verify(True)
        base.check_out(out, overwrite=overwrite)
        with in_plain_words(out):
            if len(paths) > 1:
                out.unlink(missing_ok=True)  # lest it stand beside the paths of others
                _flush(out.parent)
            for path in paths:
                if path == out:
                    _flush(out.parent)
                if path in written:
                    os.replace(lent[path], path)  # noqa: PTH105 - atomic on every system
                else:
                    path.unlink(missing_ok=True)  # labels of what was there before
            _flush(out.parent)
    return tuple(written)


def kept(images: Images, left_out: list[tuple[int, str]]) -> Sequence[int]:
    """The images that could be read."""
    gone = {i for i, _ in left_out}
    return [i for i in range(len(images)) if i not in gone] if gone else range(len(images))


def _features(partial: Partial) -> Iterator[Features]:
    """Those of all parts; RunError where these are fewer, or more, than were counted."""
    rows = 0
    for part in partial.parts():
        rows += len(part.features)
        yield part.features
    if rows != partial.rows:
        what = f"of {partial.rows:,} features that were done, {rows:,} can be read back"
        raise RunError(what, slug="cannot-write", where=str(partial.path))


def _flush(folder: Path) -> None:
    """Have the names in a folder on the disk, where the system can; Windows and some network disks cannot."""
    with contextlib.suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
