"""What sources of images of your own have in common.

All have keys and a first look at grey values of more than 8 bits; those with a label beside each image, classes.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from pydantic import Field, field_validator

from dcp.data import class_names, first_look
from dcp.data.datasets.base import LARGEST, Dataset, FilesConfig, Split
from dcp.data.grey_levels import Range
from dcp.data.hf_rows import Rows
from dcp.data.image_folders import listed
from dcp.data.image_lists import ImageList, Numbers
from dcp.data.layout import MOST, RGB, Layout
from dcp.data.shards import Shards
from dcp.errors import RequestError, printable

Grey = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]


class OwnImagesConfig(FilesConfig):
    """Keys of images of your own."""

    own_size: ClassVar[int] = 128
    missing: ClassVar[str] = "missing-folder"

    download: bool = Field(False, description="must stay false: your own images are not downloaded")
    image_size: int | None = Field(None, ge=8, le=4096, description="side of the square views in pixels; default 128")
    channels: int = Field(
        3, ge=1, le=MOST, description="channels of the images: 3 are red, green and blue; 1 is grey; see images.md"
    )
    depth: Literal[8, 16] | None = Field(
        None, description="bits of a value that reach the network; default 8 with 3 channels, 16 with others"
    )
    range: tuple[Grey, Grey] | Literal["dtype", "measured"] = Field(
        "dtype",
        description="values of more than 8 bits: those that become black and white: [low, high], the range of the file "
        "type, or measured on the training images",
    )

    @field_validator("range")
    @classmethod
    def _rises(cls, given: str | Range) -> str | Range:
        if not isinstance(given, str) and not given[0] < given[1]:
            raise ValueError(f"{given} does not rise from black to white")
        return given

    @property
    def layout(self) -> Layout:
        """Channels and bits of the images."""
        return Layout(self.channels, self.depth or (8 if self.channels == 3 else 16))


def grey(config: OwnImagesConfig, train: ImageList) -> tuple[Range | None, tuple[str, ...]]:
    """The range of grey values that all images have, None for each kind's own, and what is to be said of it.

    Raises:
        RequestError: as `first_look.measured`.
    """
    if config.range == "measured":
        measured = first_look.measured(replace(train, layout=config.layout, skips=config.broken == "skip"))
        if measured is None:
            return None, ()
        (low, high), kind = measured, "grey values" if config.layout == RGB else "values"
        return measured, (f"{kind} from {low:g} to {high:g}, as measured, become black to white",)
    return (config.range if isinstance(config.range, tuple) else None), ()


class Labels(NamedTuple):
    """Labels beside the images of a split."""

    texts: tuple[str, ...]  # as they are written, each once; some may be of no image
    numbers: Numbers  # [N], of each image a number in `texts`

    @property
    def used(self) -> set[str]:
        """The texts that some image has."""
        return {self.texts[number] for number in np.unique(self.numbers).tolist()}


def labelled(
    images: Mapping[str, Shards | Rows],
    labels: Mapping[str, Labels | None],
    split: Split,
    *,
    named: Mapping[int, str] | None = None,
    further: frozenset[str] = frozenset(),
    bare: str,
    where: str,
) -> Dataset:
    """A split of images that lie with their labels: classes 0..K-1, the same in training and test images.

    Args:
        images: of "train" and "test".
        labels: theirs; None where no image of a split has one.
        split: which one is wanted; "pretrain" is the same as "train".
        named: names of numbers, where somebody gave some.
        further: labels that both splits know, also where no image has them.
        bare: what is said where no training image has a label.
        where: what messages name.

    Raises:
        RequestError: "classes-differ", or as `class_names.classes`.
    """
    chosen, count = images["test" if split == "test" else "train"], len(images["test"])
    inside = f"{count:,} test image{'' if count == 1 else 's'}"
    if (train := labels["train"]) is None:
        return Dataset(chosen, remarks=(f"{bare}; {inside}",))
    test = labels["test"]
    ours, theirs = train.used | further, (test.used | further if test else set[str]())
    class_names.by_number(ours | theirs, where)  # "01" there and "1" here
    if test is None or ours != theirs:
        lines = [
            f"only in the {kind} images: {printable(listed(sorted(only)))}"
            for kind, only in (("training", ours - theirs), ("test", theirs - ours))
            if only
        ]
        what = "training and test images have different labels"
        raise RequestError(what, slug="classes-differ", where=where, hint="\n".join(lines))
    names = class_names.classes(sorted(ours), named, where)
    if len(names) == 1:
        why = f'one class, "{printable(next(iter(names.values())))}": no labels'
        return Dataset(chosen, why_unlabelled=why, remarks=(why, inside))
    order, mine = {label: number for number, label in enumerate(names)}, test if split == "test" else train
    y = np.array([order.get(text, -1) for text in mine.texts], dtype=np.int64)[mine.numbers]
    classes, remarks = tuple(map(printable, names.values())), (f"{len(names):,} classes; {inside}",)
    return Dataset(replace(chosen, label=y), torch.from_numpy(y), classes, remarks=remarks)
