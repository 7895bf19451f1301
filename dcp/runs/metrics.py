"""The lines of metrics.jsonl, by the hundred thousand: checked by hand, as pydantic takes ten times as long."""

import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from dcp.runs.json_files import Json, broken, parsed
from dcp.runs.own_files import open_file
from dcp.runs.records import LARGEST

LONGEST, MOST = 2**22, 2**30  # bytes of a line, and of all; a line with the spectra of 2,048 dimensions has 80,000


def read_lines(path: Path, kind: str | None = None) -> list[tuple[bytes, Json]]:
    """The lines of a file of JSON lines, each as its bytes and as its object; a torn end is left out.

    Args:
        path: the file.
        kind: read only the lines of this kind; of the others not even the form, which saves nearly all of the time.

    Raises:
        RequestError: "broken-run", a line before the end is not a JSON object, or holds what dcp would not write.
    """
    wanted = re.compile(b"" if kind is None else rb'"kind"\s*:\s*"%s"' % re.escape(kind.encode()))
    entries = []
    for number, line in enumerate(_lines(path), start=1):
        if wanted.search(line):
            entry = parsed(line, path, f"line {number}: ")
            if problem := wrong_with(entry):
                raise broken(path, f"line {number}: {problem}")
            entries.append((line, entry))
    return entries


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with open_file(path, "rb") as file:
            if os.fstat(file.fileno()).st_size > MOST:
                raise broken(path, f"it has more than {MOST // 2**20:,} MiB")
            for number in itertools.count(1):
                line = file.readline(LONGEST)
                if not line.endswith(b"\n"):
                    if len(line) == LONGEST:
                        raise broken(path, f"line {number}: it has more than {LONGEST // 2**20} MiB")
                    return  # its writer was stopped in the middle of it, or is writing it now
                yield line
    except FileNotFoundError:
        return
    except OSError as error:
        raise broken(path, error.strerror or str(error)) from None


def wrong_with(entry: Json) -> str:
    """What is wrong with a line; "" if nothing is.

    >>> wrong_with({"kind": "step", "step": 3, "loss": 0.5}), wrong_with({"step": -1})
    ('', 'step is no whole number')
    """
    step = entry.get("step", 0)
    if type(step) is not int or not 0 <= step < 2**63:
        return "step is no whole number"
    if not isinstance(entry.get("kind", ""), str):
        return "kind is no text"
    for key, value in entry.items():
        if isinstance(value, (int, float)) and not -LARGEST <= value <= LARGEST:
            return f"{key} is no finite number"
        if isinstance(value, bool):
            return f"{key} is no number"
    return ""


def cut_torn_end(file: BinaryIO) -> None:
    """Cut a last line that has no end, so that the next line does not continue it."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 1))
    if size and file.read(1) != b"\n":
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
