"""NumPy: the features as FILE.npy, to be memory-mapped; beside it the paths, labels, and the rest as JSON.

features.npy, features.paths.txt (a path a line, UTF-8), features.labels.npy (int64; only where there are labels) and
features.json (run, encoder, source, classes, what was left out).
"""

from pathlib import Path

import numpy as np

from dcp.exporting.feature_files.base import Features, Table
from dcp.runs.json_files import to_json

PACKAGES, EXTRA = (), ""


def files(out: Path) -> list[Path]:
    """Features last."""
    return [out.with_suffix(ending) for ending in (".paths.txt", ".labels.npy", ".json")] + [out]


def write(table: Table, lent: dict[Path, Path]) -> None:
    """Write them all; no labels where there are none."""
    paths, labels, about, out = lent.values()
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
