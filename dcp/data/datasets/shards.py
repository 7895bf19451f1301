"""Your own images in tar files, as webdataset writes them: for data sets that are too large for folders of files.

    ROOT/train/*.tar    and  ROOT/val/*.tar           labelled, where the tars hold labels
    ROOT/*train*.tar    and  ROOT/*val*.tar           the same in one folder, by a word in the names
    ROOT/*.tar                                        all images, without labels

train may be called training; val may be called valid, validation, test or testing; where there are validation and test
tars, the test split is the validation images. In a tar belong together KEY.jpg (or .png, ...) and its label: a whole
number or a name in KEY.cls, or "label" in KEY.json. ROOT/classes.txt may name the numbers, one name on each line;
ROOT/classes.json may be a list of the names, or an object. Without labels train is the same as pretrain.

Images are read at their offsets, in any order. These stand in an index, made once: `dcp.data.shard_index`.
"""

from collections import Counter
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from dcp.data import class_names, first_look, shard_folders, shard_index
from dcp.data.broken_files import UNTRAINED
from dcp.data.datasets._own_images import Labels, OwnImagesConfig, grey, labelled
from dcp.data.datasets.base import Dataset, Split, data_folder
from dcp.data.image_folders import is_folder, listed
from dcp.data.shard_folders import Group
from dcp.data.shard_scan import Part, peek
from dcp.data.shards import Shards
from dcp.errors import RequestError, printable


class Config(OwnImagesConfig):
    """Keys of tar files."""

    prepares: ClassVar[bool] = True

    source: Literal["shards"] = Field("shards", description="images of your own in tar files, as webdataset's")
    root: str = Field(description="folder of the tars; may begin with ~ or $DCP_DATA")

    def labelled(self) -> bool:
        """Whether the first training tar begins with a label; what is not there may have some.

        Raises:
            RequestError: as `shard_folders.groups`.
        """
        root = data_folder(self)
        if not is_folder(root):
            return True
        found = shard_folders.groups(root)
        return found.test is not None and peek(found.train.folder, found.train.tars[0])


def load(config: Config, split: Split) -> Dataset:
    """One split as images in tar files, decoded when a batch needs them.

    Raises:
        RequestError: as `shard_folders.groups`, `shard_index.of`, `class_names.read` and `first_look.look`;
            "no-images", "bad-label" or "classes-differ".
    """
    if config.download:
        hint = "Leave data.download out; data.root names the folder."
        raise RequestError("tars cannot be downloaded", slug="not-downloadable", where="data.download", hint=hint)
    root = data_folder(config)
    found = shard_folders.groups(root)
    train, test, remarks = _indexed(found.train, found.test)
    remarks += (f"not read: {printable(listed(found.beside))}",) if found.beside else ()
    files = _shards(found.train, train)
    if found.test is None:
        data = Dataset(files, remarks=("no tars of train and val: no classes, no test images",))
    else:
        images = {"train": files, "test": replace(_shards(found.test, test), mending=UNTRAINED)}
        labels = {"train": _labels(found.train, train), "test": _labels(found.test, test)}
        named = class_names.read(root) if labels["train"] else None
        data = labelled(images, labels, split, named=named, bare="no labels in the tars", where=str(root))
    scale, said = grey(config, files)
    assert isinstance(data.images, Shards)
    shards = replace(data.images, grey=scale, layout=config.layout, skips=config.broken == "skip")
    looked_at = first_look.look(shards, measured=config.range == "measured")
    return replace(data, images=shards, remarks=(*data.remarks, *remarks, *said, *looked_at))


def _indexed(train: Group, test: Group | None) -> tuple[list[Part], list[Part], tuple[str, ...]]:
    """What is in the tars of both splits, and what is to be said of it."""
    if test is None or str(test.folder) != str(train.folder):
        parts, said = shard_index.of(train.folder, train.tars)
        test_parts, test_said = shard_index.of(test.folder, test.tars) if test else ([], ())
    else:  # one index for the folder
        both, said = shard_index.of(train.folder, [*train.tars, *test.tars])
        parts, test_parts, test_said = both[: len(train.tars)], both[len(train.tars) :], ()
    for group, of_group in ((train, parts), (test, test_parts)):
        if group and not any(map(len, of_group)):
            kinds = sum((Counter(part.left_out) for part in of_group), Counter[str]())
            what = f"no images in {len(group.tars)} tar files" + (f": they hold {_in_words(kinds)}" if kinds else "")
            raise RequestError(what, slug="no-images", where=str(group.folder / group.tars[0]))
        if group and (kinds := sum((Counter(part.left_out) for part in of_group), Counter[str]())):
            said = (*said, printable(f"not read in {group.shown}: {_in_words(kinds)}"))
    return parts, test_parts, (*said, *test_said)


def _in_words(kinds: Counter[str]) -> str:
    words = {"link": "links", "sparse": "sparse files", "special": "special files"}
    return listed([f"{count:,} {words.get(kind, kind)}" for kind, count in kinds.most_common()])


def _shards(group: Group, parts: list[Part]) -> Shards:
    lengths = np.concatenate([part.length for part in parts]).astype(np.int64)
    return Shards(
        folder=group.folder,
        stamps=tuple(part.stamp for part in parts),
        tar=np.repeat(np.arange(len(parts)), [len(part) for part in parts]),
        offset=np.concatenate([part.offset for part in parts]),
        sizes=np.concatenate([part.size for part in parts]),
        names=np.concatenate([part.name for part in parts]),
        starts=np.concatenate([np.zeros(1, dtype=np.int64), lengths.cumsum()]),
        label=np.full(len(lengths), -1),
        left_out=dict(sum((Counter(part.left_out) for part in parts), Counter[str]())),
    )


def _labels(group: Group, parts: list[Part]) -> Labels | None:
    """The labels of a split; None where no image has one.

    Raises:
        RequestError: "bad-label", some images have one and others have none.
    """
    bare = [int((part.label < 0).sum()) for part in parts]
    if sum(bare) == sum(map(len, parts)):
        return None
    if sum(bare):
        k = next(k for k, count in enumerate(bare) if count)
        files = _shards(group, parts[k : k + 1])
        first = int(np.flatnonzero(parts[k].label < 0)[0])
        raise class_names.bad(f"{sum(bare):,} images have no label, and others have one", files.place(first))
    order: dict[str, int] = {}
    tables = [np.array([order.setdefault(text, len(order)) for text in part.labels], dtype=np.int64) for part in parts]
    numbers = np.concatenate([table[part.label] for table, part in zip(tables, parts, strict=True)])
    return Labels(tuple(order), numbers)
