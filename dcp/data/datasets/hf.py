"""A data set of Hugging Face's library `datasets`: a folder that `save_to_disk` wrote, or a name on their hub.

Needs the extra "hf": pip install 'dcp[hf]'. Images are the column of type Image, and labels that of type ClassLabel, if
there is one of each; else `column` and `label` say which. Labels may also be whole numbers or names. The split "train"
is trained on, and "validation" or else "test" is tested on; `train_split` and `test_split` name others. Without a
split for testing, or without labels, train is the same as pretrain.

The bytes of an image are decoded as those of a file in a folder are, by row, in any order: data sets that are streamed
have none. Nothing is fetched without `download = true`; HF_HUB_OFFLINE and HF_HOME work as ever.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from dcp.data import first_look, hf_tables
from dcp.data.broken_files import UNTRAINED
from dcp.data.datasets._own_images import Labels, OwnImagesConfig, grey, labelled
from dcp.data.datasets.base import Dataset, Split, data_folder
from dcp.data.hf_rows import Rows
from dcp.data.image_folders import is_folder, listed
from dcp.errors import RequestError, missing_package, near_names, printable

HELD_OUT = ("validation", "valid", "val", "test")  # the first that is there is the test split
ONE = "data.root names a folder that save_to_disk wrote, data.name a data set on the hub: give one of them"
TWO = "images that are trained on do not test: name another split, or leave data.test_split out"

NAME = r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)?$"  # of a data set on the hub


class Config(OwnImagesConfig):
    """Keys of a Hugging Face data set."""

    source: Literal["hf"] = Field("hf", description="a data set of Hugging Face's library")
    root: str | None = Field(None, description="folder that `save_to_disk` wrote; may begin with ~ or $DCP_DATA")
    name: str | None = Field(
        None,
        pattern=NAME,
        description='in place of root: name on the Hugging Face hub, "user/dataset"',
    )
    config: str | None = Field(None, description="which configuration of it, where it has several")
    column: str | None = Field(None, description="column of the images; default: the one of type Image")
    label: str | None = Field(None, description="column of the labels; default: the one of type ClassLabel")
    train_split: str = Field("train", description="split that is trained on")
    test_split: str | None = Field(
        None, description='split for testing; default: "validation", "valid", "val" or "test"'
    )
    download: bool = Field(False, description="fetch a data set of the hub that is not in the library's cache")

    def clashes(self, recipe: Any) -> Iterator[tuple[str, str]]:
        """Where the data are must be said once, and each split be another one."""
        if (self.root is None) == (self.name is None):
            yield "data.root and data.name are both given" if self.root else "neither data.root nor data.name", ONE
        if self.test_split == self.train_split:
            yield f'data.train_split and data.test_split are both "{printable(self.train_split)}"', TWO

    def labelled(self) -> bool:
        """Whether there are a column of labels and a split for testing; what is not there may have some.

        Raises:
            RequestError: as `load`.
        """
        if self.root is not None and not is_folder(data_folder(self)):
            return True
        tables = _tables(self)
        return tables.test is not None and hf_tables.label_column(self.label, tables.train) is not None


class Tables(NamedTuple):
    """The splits, as the library has them."""

    train: Any
    test: Any  # None where there is none
    shown: tuple[str, str]  # what messages call them


def load(config: Config, split: Split) -> Dataset:
    """One split as rows, decoded when a batch needs them.

    Raises:
        RequestError: "missing-package"; "missing-folder" or "missing-data"; "bad-dataset", it is none that could be
            used; "bad-label" or "classes-differ"; as `first_look.look`.
    """
    tables = _tables(config)
    images = hf_tables.image_column(config.column, tables.train)
    files = _rows(tables.train, images, tables.shown[0])
    if tables.test is None:
        data = Dataset(files, remarks=("no split for testing: no classes, no test images",))
    else:
        test = replace(_rows(tables.test, images, tables.shown[1]), mending=UNTRAINED)
        labels, named, column = _labels(config, tables)
        shared = named if named and named == hf_tables.names(tables.test.features[column]) else {}
        data = labelled(
            {"train": files, "test": test},
            labels,
            split,
            named=named,
            further=frozenset(map(str, shared)),  # a class may have no image
            bare="no row has a label" if column else "no column of labels",
            where=f"{tables.shown[1]}, {column}",
        )
    scale, said = grey(config, files)
    assert isinstance(data.images, Rows)
    rows = replace(data.images, grey=scale, layout=config.layout, skips=config.broken == "skip")
    looked_at = first_look.look(rows, measured=config.range == "measured")
    return replace(data, images=rows, remarks=(*data.remarks, *said, *looked_at))


def _tables(config: Config) -> Tables:
    try:
        import datasets
    except ImportError:
        raise missing_package("the package datasets is not installed", "hf", "data.source") from None
    for problem, way_out in config.clashes(None):
        where = "data.test_split" if way_out == TWO else "data.root"
        raise RequestError(problem, slug="bad-combination", where=where, hint=way_out)
    if config.root is not None and config.download:
        hint = "Leave data.download out; data.root names the folder."
        raise RequestError("a folder cannot be downloaded", slug="not-downloadable", where="data.download", hint=hint)
    shown = str(data_folder(config)) if config.root is not None else str(config.name)
    if config.root is not None:
        found = hf_tables.from_disk(data_folder(config))
    else:
        found = hf_tables.from_hub(str(config.name), config.config, fetches=config.download)
    if isinstance(found, datasets.IterableDataset | datasets.IterableDatasetDict):
        hint = "Save it first, and give data.root that folder: load_dataset(...).save_to_disk(FOLDER)."
        what = "a data set that is streamed has no images by number, which order and resuming need"
        raise hf_tables.bad(what, shown, hint)
    splits = {config.train_split: found} if isinstance(found, datasets.Dataset) else dict(found)
    names = [config.test_split] if config.test_split else [name for name in HELD_OUT if name in splits][:1]
    for key, name in (("data.train_split", config.train_split), *(("data.test_split", name) for name in names)):
        if name not in splits:
            near = near_names(name, splits)
            hint = f"It has {listed(list(splits))}." + (f" Did you mean {near[0]}?" if near else "")
            raise hf_tables.bad(f'there is no split "{name}"', shown, f"{hint} Set {key}.")
    test = names[0] if names and names[0] != config.train_split else None
    places = (f"{shown}, {config.train_split}", f"{shown}, {test}")
    return Tables(splits[config.train_split], splits[test] if test else None, places)


def _rows(table: Any, column: str, shown: str) -> Rows:
    import datasets

    table = table.select_columns([column])
    if isinstance(table.features[column], datasets.Image):
        table = table.cast_column(column, datasets.Image(decode=False))
    if len(table) == 0:
        raise RequestError("no images: the split is empty", slug="no-images", where=shown)
    return Rows.of(table.with_format("arrow"), column, shown)


def _labels(config: Config, tables: Tables) -> tuple[dict[str, Labels | None], dict[int, str] | None, str]:
    """The labels of both splits, the names of the classes if the column has some, and the column."""
    column = hf_tables.label_column(config.label, tables.train)
    if column is None:
        return {"train": None, "test": None}, None, ""
    if column not in tables.test.features:
        raise hf_tables.bad(f'there is no column "{column}" in the test split', tables.shown[1], "Set data.label.")
    labels: dict[str, Labels | None] = {}
    for split, table, shown in zip(("train", "test"), tables[:2], tables.shown, strict=True):
        values = hf_tables.labels(table, column, shown)
        if values is None:
            labels[split] = None
        else:
            different, numbers = np.unique(values, return_inverse=True)
            labels[split] = Labels(tuple(map(str, different.tolist())), numbers.astype(np.int64))
    return labels, hf_tables.names(tables.train.features[column]), column
