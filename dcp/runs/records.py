"""The JSON of a run folder, written and read, and what is said when something is missing or broken."""

import json
import math
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import tomli

from dcp.errors import RequestError
from dcp.runs import validate

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCHEMA = 1  # of run.json and of probes/*.json
PER_IMAGE = ("prediction", "label", "random_prediction")  # of each test image; what else an evaluation keeps is its own
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
    return _object(read_bytes(path), path)


def read_bytes(path: Path) -> bytes:
    """The content of a file of a run.

    Raises:
        RequestError: "broken-run": a folder is in its place, or it may not be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise broken(path, error.strerror or str(error)) from None


def read_probe(path: Path) -> Json:
    """Read scores of an evaluation.

    Raises:
        RequestError: "broken-run", with the reason, or "newer-run".
    """
    content = read_json(path)
    check_schema(content.get("schema", SCHEMA), path)
    return checked(content, validate.probe(content), path)


def read_lines(path: Path, kind: str | None = None) -> list[tuple[bytes, Json]]:
    """The lines of a file of JSON lines, each as its bytes and as its object; a torn end is left out.

    Args:
        path: the file.
        kind: read only the lines of this kind; of the others not even the form, which saves nearly all of the time.

    Raises:
        RequestError: "broken-run", a line before the end is not a JSON object.
    """
    lines = read_bytes(path).splitlines(keepends=True) if path.exists() else []
    if lines and not lines[-1].endswith(b"\n"):
        lines.pop()  # its writer was stopped in the middle of it, or is writing it now
    wanted = re.compile(b"" if kind is None else rb'"kind"\s*:\s*"%s"' % re.escape(kind.encode()))
    numbered = ((number, line) for number, line in enumerate(lines, start=1) if wanted.search(line))
    return [(line, _metric(line, path, number)) for number, line in numbered]


def cut_torn_end(file: BinaryIO) -> None:
    """Cut a last line that has no end, so that the next line does not continue it."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 1))
    if size and file.read(1) != b"\n":
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)


def read_recipe(path: Path) -> Json:
    """Read the recipe of a run as nested tables.

    Raises:
        RequestError: "broken-run", with the reason.
    """
    try:
        table = tomli.loads(read_bytes(path).decode())
        json.dumps(table)  # TOML has dates, and recipes do not
    except (ValueError, TypeError) as error:
        raise broken(path, str(error)) from None
    except RecursionError:
        raise broken(path, "it is nested too deeply") from None
    return table


def to_arrays(data: bytes, path: Path) -> "dict[str, NDArray[Any]]":
    """Predictions per image and other arrays, as they are in the file at `path`.

    Raises:
        RequestError: "broken-run": not as many predictions as labels, or no whole numbers.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = dict(load(data))
    except (SafetensorError, KeyError, ValueError) as error:
        raise broken(path, str(error)) from None
    lists = [array for name, array in arrays.items() if name in PER_IMAGE]
    if len({array.shape for array in lists}) > 1:
        raise broken(path, "its lists are not of one length")
    if any(array.ndim != 1 or array.dtype.kind != "i" for array in lists):
        raise broken(path, "it holds something else than lists of whole numbers")
    return arrays


def broken(path: Path, reason: str) -> RequestError:
    """The error for a file of a run that cannot be understood, with the way out."""
    message = f"cannot read {path.name}: {reason}"
    return RequestError(message, slug="broken-run", where=str(path), hint=_way_out(path))


def _way_out(path: Path) -> str:
    if path.parent.name == "probes":
        name, _, data = path.stem.partition("@")
        again = f"dcp probe {path.parent.parent} -e {name}"
        return f"Delete it and measure again: {again}{f' --data {data}' if data else ''}"
    if path.name == "metrics.jsonl":
        return "Mend the line, or delete the file: only the course of the training is lost with it."
    if path.suffix in (".json", ".toml"):
        return "Restore it from a copy, or move the run folder away and train again."
    return "It must be a folder, and you must be allowed to read all that is in it."


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


def _metric(line: bytes, path: Path, number: int) -> Json:
    content = _object(line, path, f"line {number}: ")
    problem = validate.metric(content)
    return checked(content, f"line {number}: {problem}" if problem else "", path)


def _object(data: bytes, path: Path, place: str = "") -> Json:
    try:
        content = _DECODER.decode(data.decode(json.detect_encoding(data), "surrogatepass"))
    except ValueError as error:
        raise broken(path, f"{place}{error}") from None
    except RecursionError:
        raise broken(path, f"{place}it is nested too deeply") from None
    if not isinstance(content, dict):
        raise broken(path, f"{place}it holds a {type(content).__name__}, not an object")
    return content


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON; dcp writes null")


# one for all: json.loads makes a new one for each of the thousands of lines of metrics.jsonl
_DECODER = json.JSONDecoder(parse_constant=_refuse)


def checked(content: Json, problem: str, path: Path) -> Json:
    """`content` if there is no `problem` with it."""
    if problem:
        raise broken(path, problem)
    return content


def check_schema(schema: object, path: Path) -> None:
    """Refuse a file of a later dcp."""
    if not isinstance(schema, int):
        raise broken(path, 'it has no "schema"')
    if schema > SCHEMA:
        message = f"written by a newer dcp (schema {schema}; this one reads up to {SCHEMA})"
        raise RequestError(message, slug="newer-run", where=str(path), hint="Upgrade dcp to read it.")
