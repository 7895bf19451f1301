"""The JSON of a run folder, written and read, and what is said when something is missing or broken."""

import json
import math
import os
from pathlib import Path
from typing import Any

from dcp.errors import RequestError
from dcp.runs.own_files import open_file

LARGEST = 2**24  # bytes of run.json, recipe.toml and the scores of a probe; dcp writes some thousand
Json = dict[str, Any]  # what a JSON object holds is known where it is read


def plain(value: object) -> Any:
    """`value` as JSON has it: numbers of numpy and torch as Python's, those that are not finite as null."""
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if not isinstance(value, (str, int)) and hasattr(value, "tolist"):
        return plain(value.tolist())  # a number or array of numpy or torch
    return value


def to_json(value: object) -> bytes:
    """Indented, sorted, UTF-8; numbers that are not finite become null, so that every reader can parse it.

    A character that UTF-8 has not, of the name of some folder, is written as JSON's own escape.
    """
    text = json.dumps(plain(value), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return text.encode(errors="backslashreplace") + b"\n"


def to_json_line(value: object) -> bytes:
    """The same on one line, keys in the order given."""
    text = json.dumps(plain(value), ensure_ascii=False, allow_nan=False)
    return text.encode(errors="backslashreplace") + b"\n"


def read_json(path: Path) -> Json:
    """Read a JSON object.

    Raises:
        RequestError: "broken-run", with the reason.
    """
    return parsed(read_bytes(path), path)


def read_bytes(path: Path, largest: int = LARGEST) -> bytes:
    """The content of a file of a run, of at most so many bytes.

    Raises:
        RequestError: "broken-run": it is larger, something else is in its place, or it may not be read.
    """
    try:
        with open_file(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            data = file.read(largest) if size <= largest else b""
    except OSError as error:
        raise broken(path, error.strerror or str(error)) from None
    if size > largest:
        raise broken(path, f"it has more than {largest / 2**20:,.0f} MiB")
    return data


def parsed(data: bytes, path: Path, where: str = "") -> Json:
    """The JSON object in `data`, which stands at `where` ("line 3: ") of the file at `path`; strict JSON.

    Raises:
        RequestError: "broken-run", with the reason.
    """
    try:
        content = _DECODER.decode(data.decode(json.detect_encoding(data), "surrogatepass"))
    except ValueError as error:
        raise broken(path, f"{where}{error}") from None
    except RecursionError:
        raise broken(path, f"{where}it is nested too deeply") from None
    if not isinstance(content, dict):
        raise broken(path, f"{where}it holds a {type(content).__name__}, not an object")
    return content


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON; dcp writes null")


# one for all: json.loads makes a new one for each of the thousands of lines of metrics.jsonl
_DECODER = json.JSONDecoder(parse_constant=_refuse)


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
    if path.name.startswith("."):
        return "Remove it: dcp makes its own."
    if path.suffix in (".json", ".toml"):
        return "Restore it from a copy, or move the run folder away and train again."
    return "It must be a folder, and you must be allowed to read all that is in it."
