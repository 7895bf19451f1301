"""safetensors: `features` float32 [N, D], `labels` int64 [N] where there are some, and the paths as bytes.

Path i is `paths[path_ends[i - 1] : path_ends[i]]`, UTF-8; the first begins at 0. The header holds classes and the rest
as JSON, under "dcp". (A list of a million paths in the header would have to be parsed whenever the file is opened.)
"""

import json
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from dcp.exporting.feature_files.base import Features, Table

PACKAGES, EXTRA = (), ""


def files(out: Path) -> list[Path]:
    """One holds all."""
    return [out]


def write(table: Table, lent: dict[Path, Path]) -> None:
    """Write the header, then the tensors: those of large numbers first, so that all begin where they may."""
    (out,) = lent.values()
    ends = np.fromiter(accumulate(len(path.encode()) for path in table.paths()), dtype="<i8", count=table.rows)
    tensors: dict[str, tuple[str, list[int], int]] = {"path_ends": ("I64", [table.rows], 8 * table.rows)}
    if table.labels is not None:
        tensors["labels"] = ("I64", [table.rows], 8 * table.rows)
    tensors["features"] = ("F32", [table.rows, table.dim], 4 * table.rows * table.dim)
    size = int(ends[-1]) if table.rows else 0
    tensors["paths"] = ("U8", [size], size)
    about = json.dumps({**table.about, "classes": table.classes}, sort_keys=True)
    header: dict[str, Any] = {"__metadata__": {"dcp": about, "format": "np"}}
    begin = 0
    for name, (dtype, shape, length) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, begin + length]}
        begin += length
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with out.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.write(ends.tobytes())
        if table.labels is not None:
            file.write(table.labels.astype("<i8").tobytes())
        for part in table.parts():
            file.write(part.tobytes())
        file.writelines(path.encode() for path in table.paths())


def read(out: Path) -> Features:
    """Memory-mapped."""
    with out.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        found = json.loads(file.read(length))["features"]
    begin, shape = 8 + length + found["data_offsets"][0], tuple(found["shape"])
    return np.memmap(out, "<f4", "r", begin, shape) if shape[0] else np.empty(shape, np.float32)
