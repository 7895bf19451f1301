"""NumPy: the features as FILE.npy, to be memory-mapped; beside it the paths, labels, and the rest as JSON.

features.npy, features.paths.txt (a path a line, UTF-8), features.labels.npy (int64; only where there are labels) and
features.json (run, encoder, source, classes, what was left out).
"""

import json
import os
from pathlib import Path

import numpy as np

from dcp.exporting.feature_files.base import Features, Table
from dcp.runs.json_files import to_json
from dcp.runs.own_files import open_file

PACKAGES, EXTRA = (), ""
ABOUT = {"run", "encoder", "images", "of", "features", "left_out"}  # keys of features.json, among others
LARGEST = 2**30  # bytes of it: names of millions of images that were left out


def files(out: Path) -> list[Path]:
    """Features last; first what says that the others are dcp's."""
    return [out.with_suffix(ending) for ending in (".json", ".paths.txt", ".labels.npy")] + [out]


def wrote(out: Path) -> bool:
    """Whether dcp wrote what lies beside the features: it is of files, and the JSON says so."""
    about, *others, _ = files(out)
    if any(path.is_symlink() or (path.exists() and not path.is_file()) for path in others):
        return False
    try:
        with open_file(about, "rb") as file:
            content = json.load(file) if os.fstat(file.fileno()).st_size <= LARGEST else None
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.keys() >= ABOUT


def write(table: Table, lent: dict[Path, Path]) -> None:
    """Write them all; no labels where there are none."""
    about, paths, labels, out = lent.values()
    with paths.open("wb") as file:
        file.writelines(f"{path}\n".encode() for path in table.paths())
    if table.labels is not None:
        with labels.open("wb") as file:
            np.save(file, table.labels, allow_pickle=False)
    about.write_bytes(to_json({**table.about, "classes": table.classes}))
    with out.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": (table.rows, table.dim)}
        np.lib.format.write_array_header_1_0(file, header)
        for part in table.parts():
            file.write(part.tobytes())


def read(out: Path) -> Features:
    """Memory-mapped."""
    features: Features = np.load(out, mmap_mode="r" if out.stat().st_size > 128 else None, allow_pickle=False)
    return features
