"""The JSON of a run folder, written and read, and what is said when something is missing or broken."""

import json
import math
import os
from pathlib import Path
from typing import Any, BinaryIO

from dcp.errors import RequestError
from dcp.run.lookup import first, nearest, runs_in

SCHEMA = 1  # of run.json and of probes/*.json
Json = dict[str, Any]  # what a JSON object holds is known where it is read


def to_json(value: object) -> bytes:
    """Indented, sorted, UTF-8; numbers that are not finite become null, so that every reader can parse it."""
    text = json.dumps(_plain(value), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def to_json_line(value: object) -> bytes:
    """The same on one line, keys in the order given."""
    return json.dumps(_plain(value), ensure_ascii=False, allow_nan=False).encode() + b"\n"


def read_json(path: Path) -> Json:
    """Read a JSON object.

    Raises:
        RequestError: "broken-run", with the reason.
    """
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise broken(path, str(error)) from None
    if not isinstance(content, dict):
        raise broken(path, f"it holds a {type(content).__name__}, not an object")
    return content


def read_lines(path: Path) -> list[tuple[bytes, Json]]:
    """The lines of a file of JSON lines, each as its bytes and as its object; a torn end is left out.

    Raises:
        RequestError: "broken-run", a line before the end is not a JSON object.
    """
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    if lines and not lines[-1].endswith(b"\n"):
        lines.pop()  # its writer was stopped in the middle of it, or is writing it now
    return [(line, _object(line, path, number)) for number, line in enumerate(lines, start=1)]


def cut_torn_end(file: BinaryIO) -> None:
    """Cut a last line that has no end, so that the next line does not continue it."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 1))
    if size and file.read(1) != b"\n":
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)


def read_record(path: Path) -> Json:
    """Read run.json of the run folder `path`.

    Raises:
        RequestError: "no-such-run", "not-a-run", "half-written-run", "broken-run" or "newer-run".
    """
    try:
        _check_whole(path)
    except PermissionError as error:
        raise broken(path, str(error)) from None
    record = read_json(path / "run.json")
    _check_schema(record.get("schema"), path)
    return record


def broken(path: Path, reason: str) -> RequestError:
    """The error for a file of a run that cannot be understood."""
    return RequestError(f"cannot read {path.name}: {reason}", slug="broken-run", where=str(path))


def _plain(value: object) -> object:
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if not isinstance(value, (str, int)) and hasattr(value, "tolist"):
        return _plain(value.tolist())  # a number or array of numpy or torch
    return value


def _object(line: bytes, path: Path, number: int) -> Json:
    try:
        content = json.loads(line)
    except ValueError as error:
        raise broken(path, f"line {number}: {error}") from None
    if not isinstance(content, dict):
        raise broken(path, f"line {number} holds a {type(content).__name__}, not an object")
    return content


def _check_schema(schema: object, path: Path) -> None:
    if not isinstance(schema, int):
        raise broken(path / "run.json", 'it has no "schema"')
    if schema > SCHEMA:
        message = f"written by a newer dcp (schema {schema}; this one reads up to {SCHEMA})"
        raise RequestError(message, slug="newer-run", where=str(path), hint="Upgrade dcp to read it.")


def _check_whole(path: Path) -> None:
    if not path.is_dir():
        raise _not_there(path)
    missing = [name for name in ("recipe.toml", "run.json") if not (path / name).is_file()]
    if len(missing) == 2:
        raise _not_a_run(path)
    if missing:
        there = "run.json" if missing == ["recipe.toml"] else "recipe.toml"
        hint = "dcp makes both in one move, so one was removed, or a copy was cut short. Copy it again."
        message = f"half a run: it has {there} but no {missing[0]}"
        raise RequestError(message, slug="half-written-run", where=str(path), hint=hint)


def _not_there(path: Path) -> RequestError:
    if path.exists():
        return RequestError("a run is a folder, this is a file", slug="not-a-run", where=str(path))
    hint = nearest(path.name, path.parent)
    return RequestError("no such run", slug="no-such-run", where=str(path), hint=hint)


def _not_a_run(path: Path) -> RequestError:
    inside = first([inner.name for inner in runs_in(path)])
    hint = f"It holds runs, though: {inside}." if inside else "A run folder has a recipe.toml and a run.json."
    return RequestError("not a run folder", slug="not-a-run", where=str(path), hint=hint)
