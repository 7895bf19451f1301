"""Parquet: a row an image, with the columns `path`, `label`, `class` and `features`.

label (int64) and class (its name) are null where an image has none; features are a list of fixed size. What else there
is to know, as the source and what was left out, stands as JSON under "dcp" in the metadata of the schema.
"""

import json
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from dcp.exporting.feature_files.base import Features, Table

PACKAGES, EXTRA = ("pyarrow",), "embed"
ROWS = 4096  # of a group: 8 MB of 512 features


def files(out: Path) -> list[Path]:
    """One holds all."""
    return [out]


def write(table: Table, lent: dict[Path, Path]) -> None:
    """Write group after group."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    (out,) = lent.values()
    names = pa.array(table.classes or [""], pa.string())
    schema = pa.schema(
        {
            "path": pa.string(),
            "label": pa.int64(),
            "class": pa.dictionary(pa.int32(), pa.string()),
            "features": pa.list_(pa.float32(), table.dim),
        },
        metadata={"dcp": json.dumps({**table.about, "classes": table.classes}, sort_keys=True)},
    )
    paths, start = table.paths(), 0
    with pq.ParquetWriter(out, schema, use_dictionary=["class"], compression="zstd") as writer:
        for rows in _groups(table):
            count = len(rows)
            labels = np.full(count, -1) if table.labels is None else table.labels[start : start + count]
            numbers = pa.array(labels, mask=labels < 0)
            columns = [
                pa.array(list(islice(paths, count)), pa.string()),
                numbers,
                pa.DictionaryArray.from_arrays(numbers.cast(pa.int32()), names),
                pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), table.dim),
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema), row_group_size=ROWS)
            start += count


def read(out: Path) -> Features:
    """In memory: parquet compresses."""
    import pyarrow.parquet as pq

    column: Any = pq.read_table(out, columns=["features"])["features"]
    dim = column.type.list_size
    chunks = [np.asarray(chunk.flatten()).reshape(-1, dim) for chunk in column.chunks]
    return np.concatenate(chunks) if chunks else np.empty((0, dim), np.float32)


def _groups(table: Table) -> Any:
    """Features of `ROWS` images at a time, the last one of fewer."""
    waiting: list[Features] = []
    held = 0
    for part in table.parts():
        waiting.append(part)
        held += len(part)
        while held >= ROWS:
            joined = np.concatenate(waiting)
            yield joined[:ROWS]
            waiting, held = [joined[ROWS:]], held - ROWS
    if held:
        yield np.concatenate(waiting)
