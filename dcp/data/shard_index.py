"""The index of a folder of tar files: where each image lies in them, its name and its label. It is made once.

It is kept beside the tars, as `dcp-index.safetensors`, or where that may not be written, in the folder `dcp/shards` of
the platform's cache, under a name made from the path of the tars. Of a tar whose size or time of change is another, and
of a new one, the headers are read again. Processes that make it at the same time each write their own file, and the
last to end gives it the name.

An image takes 22 bytes and its name. What belongs together in a tar: `dcp.data.shard_scan`.
"""

import hashlib
import json
import os
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from dcp.data.folders import Folder, platform_cache
from dcp.data.regular_files import open_regular
from dcp.data.shard_scan import Part, scan
from dcp.data.shards import Stamp
from dcp.data.tars import BadTar, Tar
from dcp.errors import LFS_POINTER, Problems, RequestError, not_fetched, printable

FILE = "dcp-index.safetensors"
VERSION = 2
READERS = 8  # tars whose headers are read at a time: what takes long is a disk far away
STALE_AFTER_S = 3600.0  # an index is written in seconds
PATIENCE_S, PATIENCE_SHARE = 10.0, 0.25  # between two words on how far it is; later a share of the time until then
COLUMNS = {"offset": np.int64, "size": np.int64, "label": np.int32, "length": np.uint16, "name": np.uint8}

Say = Callable[[str], None]
_say: ContextVar[Say | None] = ContextVar("_say", default=None)


@contextmanager
def told(say: Say) -> Iterator[None]:
    """In this block `say` is told how far an index is; elsewhere standard error is, where it is a terminal."""
    before = _say.set(say)
    try:
        yield
    finally:
        _say.reset(before)


def of(folder: Folder, tars: Sequence[str]) -> tuple[list[Part], tuple[str, ...]]:
    """What is in these tars of a folder, in their order, and what is to be said of it.

    Raises:
        RequestError: "bad-shard", a tar cannot be used; "git-lfs". All such tars at once.
    """
    stamps = [_stamp(folder, name) for name in tars]
    places = [Path(folder) / FILE, _elsewhere(folder)]
    known: dict[Stamp, Part] = {}
    for place in reversed(places):
        _sweep(place)
        known |= {part.stamp: part for part in _read(place)}
    new = [stamp for stamp in stamps if stamp not in known]
    if not new:
        return [known[stamp] for stamp in stamps], ()
    started = time.monotonic()
    known |= {part.stamp: part for part in _scanned(folder, new)}
    parts = [known[stamp] for stamp in stamps]
    path = _write(places, parts)
    images, took = sum(map(len, parts)), time.monotonic() - started
    kept = f"kept as {path}" if path else "it can be kept nowhere, and will be made again"
    return parts, (printable(f"index of {images:,} images in {len(parts):,} tar files made in {took:.1f} s: {kept}"),)


def _elsewhere(folder: Folder) -> Path:
    path = os.fsencode(os.path.realpath(folder))
    cache = Path(os.path.expanduser(platform_cache()))  # noqa: PTH111 - unlike Path's, it never raises
    return cache / "dcp/shards" / f"{hashlib.sha256(path).hexdigest()[:16]}.safetensors"


def _stamp(folder: Folder, name: str) -> Stamp:
    try:
        status = os.stat(folder / name)  # noqa: PTH116
    except OSError as error:
        raise _bad(f"it cannot be read: {error.strerror}", folder, name) from None
    return Stamp(name, status.st_size, status.st_mtime_ns)


def _bad(what: str, folder: Folder, name: str) -> RequestError:
    hint = "Fetch or make this tar file again."
    return RequestError(f"a tar file cannot be used: {what}", slug="bad-shard", where=str(folder / name), hint=hint)


def _scanned(folder: Folder, stamps: Sequence[Stamp]) -> list[Part]:
    """The same of tars whose headers are read now."""
    parts, problems, began = list[Part](), list[RequestError](), time.monotonic()
    say, spoke = _say.get() or (_to_terminal if sys.stderr.isatty() else None), began
    with ThreadPoolExecutor(READERS) as pool:
        for number, found in enumerate(pool.map(lambda stamp: _attempt(folder, stamp), stamps), start=1):
            if isinstance(found, RequestError):
                problems.append(found)
            else:
                parts.append(found)
            now = time.monotonic()
            if say is not None and now - spoke > max(PATIENCE_S, PATIENCE_SHARE * (now - began)):
                spoke = now
                say(f"index of the tar files in {printable(str(folder))}: {number:,} of {len(stamps):,}")
    if problems:
        raise problems[0] if len(problems) == 1 else Problems(problems)
    return parts


def _to_terminal(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _attempt(folder: Folder, stamp: Stamp) -> Part | RequestError:
    try:
        with open_regular(folder / stamp.name) as file:
            if file.read(len(LFS_POINTER)) == LFS_POINTER:
                return not_fetched(str(folder / stamp.name))
            return scan(Tar(file, stamp.size), stamp)
    except BadTar as error:
        return _bad(str(error), folder, stamp.name)
    except OSError as error:
        return _bad(error.strerror or str(error), folder, stamp.name)


def _read(path: Path) -> list[Part]:
    """The parts of an index; none where it is not there, or is anything else."""
    try:
        with open_regular(path) as file:
            content = file.read()
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        about: dict[str, Any] = json.loads(header["__metadata__"]["dcp"])
        columns = load(content)
        if about["version"] != VERSION or {key: column.dtype.type for key, column in columns.items()} != COLUMNS:
            return []
        labels = tuple(map(str, about["labels"]))
        parts, row, byte = list[Part](), 0, 0
        for tar in about["tars"]:
            rows, end = slice(row, row + tar["images"]), byte + tar["bytes"]
            offset, size, label, length = (columns[key][rows] for key in ("offset", "size", "label", "length"))
            left_out = {str(ending): int(count) for ending, count in tar["left_out"].items()}
            stamp = Stamp(str(tar["name"]), int(tar["size"]), int(tar["mtime_ns"]))
            part = Part(stamp, offset, size, label, length, columns["name"][byte:end], labels, left_out)
            inside = (offset >= 0) & (size >= 0) & (size <= stamp.size) & (offset <= stamp.size - size)
            if not (inside & (label >= -1) & (label < len(labels))).all():
                return []
            if not len(part) == len(length) == tar["images"] or not length.sum() == len(part.name) == tar["bytes"]:
                return []
            parts.append(part)
            row, byte = rows.stop, end
        return parts if len({part.stamp.name for part in parts}) == len(parts) else []
    except Exception:  # whatever somebody has put there: it is made again
        return []


def _sweep(place: Path) -> None:
    """Remove what killed processes left when they wrote an index here, an hour ago or longer."""
    pattern = re.compile(rf"\.{re.escape(place.name)}\.[0-9]+-[0-9a-f]{{8}}\.tmp")
    with suppress(OSError), os.scandir(place.parent) as entries:
        for entry in entries:
            if pattern.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                age_s = time.time() - entry.stat(follow_symlinks=False).st_mtime
                if age_s >= STALE_AFTER_S:
                    os.unlink(entry.path)  # noqa: PTH108


def _write(places: Iterable[Path], parts: Sequence[Part]) -> Path | None:
    """Keep an index at the first of the places that takes it; None where none does."""
    table = {text: number for number, text in enumerate(dict.fromkeys(text for part in parts for text in part.labels))}
    columns = {key: [getattr(part, key) for part in parts] for key in COLUMNS}
    for k, part in enumerate(parts):
        numbers = np.array([*(table[text] for text in part.labels), -1], dtype=np.int32)
        columns["label"][k] = numbers[part.label]
    tars = [
        {**part.stamp._asdict(), "images": len(part), "bytes": len(part.name), "left_out": part.left_out}
        for part in parts
    ]
    about = json.dumps({"version": VERSION, "labels": list(table), "tars": tars})
    content = save({key: np.concatenate(of_each) for key, of_each in columns.items()}, metadata={"dcp": about})
    for path in places:
        temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
        try:
            if path.name != FILE:
                path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(content)
            os.replace(temporary, path)  # noqa: PTH105 - the one call that is atomic on every system
            return path
        except OSError:
            with suppress(OSError):
                temporary.unlink()
    return None
