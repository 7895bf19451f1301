"""What a data set is: images, perhaps labels, and three splits.

    pretrain   what the encoder may see; labels, if there are any, choose the images of `limit`
               and teach the readouts, never the encoder (STL-10: train and unlabelled together)
    train      labelled images that probes are fitted on
    test       labelled images that probes are scored on, never cut

Each file in `dcp/data/datasets/` is one source: a `Config(DataConfig)` whose key `source` is the file's name, and
`load(config, split) -> Dataset` for the whole split. The `load` here is what the rest of dcp calls: it also
applies `limit`.
Legend: N images, K classes, C channels, H and W height and width in pixels.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar

import torch
from pydantic import Field
from torch import Tensor

from dcp import catalogue
from dcp.data.folders import Folder, platform_cache
from dcp.data.image_lists import ImageList
from dcp.data.layout import RGB, Layout
from dcp.errors import RequestError, expanded_path

Split = Literal["pretrain", "train", "test"]
MeanStd: TypeAlias = tuple[tuple[float, ...], tuple[float, ...]]  # of each channel, of pixels in [0, 1]

SAMPLED = 2048  # images whose pixels enter a fingerprint: 6 MB of CIFAR, 57 MB of STL-10, so a fraction of a second
LARGEST = 1e30  # beyond it a number is no grey value


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images of one split, with labels where there are any."""

    images: Tensor | ImageList  # uint8 [N, C, H, W] in memory, or a lazy list of encoded images of any sizes
    labels: Tensor | None = None  # int64 [N], each in 0..K-1
    classes: tuple[str, ...] = ()  # K names; () without labels
    why_unlabelled: str = ""  # where somebody may expect labels
    remarks: tuple[str, ...] = ()  # what its user should hear before training on it
    mean_std: MeanStd | None = None  # by which the pixels of each channel are normalised, where that was computed

    def __len__(self) -> int:
        return len(self.images)

    @property
    def channels(self) -> int:
        """C, of the images."""
        return self.images.shape[1] if isinstance(self.images, Tensor) else self.images.layout.channels

    def subset(self, index: Tensor) -> "Dataset":
        """The images at `index` (int64 [M]), in that order; the classes stay."""
        images = self.images.subset(index) if isinstance(self.images, ImageList) else self.images[index]
        return replace(self, images=images, labels=None if self.labels is None else self.labels[index])

    def facts(self) -> dict[str, Any]:
        """What a record of a run says of the images: how they are normalised, where that was computed.

        Of files also how many were left out, by ending, and the range of values of more than 8 bits.
        """
        facts: dict[str, Any] = {} if self.mean_std is None else {"mean_std": self.mean_std}
        if isinstance(self.images, ImageList):
            facts |= {"left_out": dict(self.images.left_out), "range": self.images.grey}
        return facts

    def fingerprint(self) -> str:
        """16 hexadecimal digits that change with the count, the sizes, the order, the labels or the classes.

        In memory: the shape, and the pixels of `SAMPLED` images spread evenly. Files: each relative path and
        size in bytes. A pixel changed elsewhere, or in a file that keeps its size, is not seen; in return it
        reads no file: some microseconds each on a local disk. Rows of a table have no names: each size, and
        bytes of a few images (`dcp.data.hf_rows`).
        """
        digest = sha256(repr((len(self), self.classes)).encode())
        if isinstance(self.images, ImageList):
            for part in self.images.identity():
                digest.update(part)
        else:
            digest.update(repr(tuple(self.images.shape)).encode())
            count = min(len(self), SAMPLED)  # both ends are among them
            rows = torch.arange(count) * (len(self) - 1) // max(count - 1, 1)
            digest.update(self.images[rows].cpu().numpy().tobytes())
        if self.labels is not None:
            digest.update(self.labels.cpu().numpy().astype("<i8").tobytes())
        return digest.hexdigest()[:16]


class DataConfig(catalogue.VariantConfig):
    """The keys that every source has; a source adds its own."""

    own_size: ClassVar[int] = 224  # side of the views in pixels without image_size
    missing: ClassVar[str] = "missing-data"  # slug of the error where there are none
    prepares: ClassVar[bool] = False  # loading writes what the next loading reads: one process goes first
    train_is_part: ClassVar[bool] = False  # train is smaller than pretrain by nature: limit may exceed it
    licence: ClassVar[str] = "unknown"  # of the images, as far as those who made them say

    source: str = Field(description="name of the data set")
    root: str | None = Field(
        None, description="folder of the data; default: $DCP_DATA, then the platform's cache folder"
    )
    download: bool = Field(False, description="download the data if they are missing")
    limit: int | None = Field(
        None,
        ge=1,
        le=10**9,
        description="use only this many pretraining and training images, a fixed class-balanced subset",
    )
    image_size: int | None = Field(
        None, ge=8, le=4096, description="side of the square views in pixels; without it the source's own size"
    )

    @property
    def view_size(self) -> int:
        """Side of the square views in pixels: `image_size`, or the source's own size."""
        return self.own_size if self.image_size is None else self.image_size

    @property
    def layout(self) -> Layout:
        """Channels and bits of the images."""
        return RGB

    def labelled(self) -> bool:
        """Whether train and test have labels, as far as can be said without reading them."""
        return True

    def clashes(self, recipe: Any) -> Iterator[tuple[str, str]]:
        """Views that are for other numbers of channels, and probes of such images."""
        channels, other = self.layout.channels, recipe.probe.data
        yield from recipe.views.clashes(channels)
        if other is not None and (theirs := other.layout.channels) != channels:
            what = f"the images of probe.data have {theirs} channel{'' if theirs == 1 else 's'}, and those of data"
            yield f"{what} {channels}", "an encoder takes images of one number of channels"


class FilesConfig(DataConfig):
    """The keys that every source of image files has."""

    broken: Literal["stop", "skip"] = Field(
        "stop",
        description="what an image that cannot be decoded does: end the run, or have the next one of the same first "
        "folder (that of its class) take its place",
    )


def load(config: DataConfig, split: Split) -> Dataset:
    """One split of the data set that `config.source` names, cut to `config.limit` (the test split never is).

    Raises:
        RequestError: the data are missing, incomplete or fewer than `limit`; the message says what to do.
    """
    data: Dataset = catalogue.load("datasets", config.source).load(config, split)
    if isinstance(config, FilesConfig) and isinstance(data.images, ImageList):
        data = replace(data, images=replace(data.images, skips=config.broken == "skip"))
    if config.limit is None or config.limit == len(data) or split == "test":
        return data
    if config.limit < len(data):
        return data.subset(balanced(data.labels, len(data), limit=config.limit))
    if split == "train" and config.train_is_part:
        return data
    what = f"the limit is {config.limit}, but {config.source} has {len(data)} images in its {split} split"
    hint = f"Give at most {len(data)}, or leave data.limit out to use all."
    raise RequestError(what, slug="limit-too-large", where="data.limit", hint=hint)


def balanced(labels: Tensor | None, n: int, *, limit: int) -> Tensor:
    """A fixed choice of `limit` of `n` images, int64 [limit], ascending; the smaller lies within the larger.

    With labels (int64 [n]) the classes' counts differ by one at most; a class with too few gives all it has.

    >>> balanced(torch.tensor([0, 0, 0, 0, 1, 1]), 6, limit=4).shape
    torch.Size([4])
    """
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
    if labels is not None:
        by_class, counts = labels[order].argsort(stable=True), labels.bincount()
        rank = torch.empty_like(order)  # how many of its class stand before each
        rank[by_class] = torch.arange(n) - (counts.cumsum(0) - counts).repeat_interleave(counts)
        order = order[rank.argsort(stable=True)]
    return order[:limit].sort().values


Config = TypeVar("Config", bound=DataConfig)


def settled(config: Config, recorded: Mapping[str, Any] | None) -> Config:
    """`config` with the range of grey values that was measured when the run began, so that it is not measured again.

    Args:
        config: of the run.
        recorded: what its record says of the data, as `Dataset.facts`; None for a new run.
    """
    if recorded is None or getattr(config, "range", None) != "measured":
        return config
    match recorded.get("range"):
        case [int() | float() as low, int() | float() as high] if -LARGEST < low < high < LARGEST:
            return config.model_copy(update={"range": (float(low), float(high))})
    return config


def data_root(config: DataConfig) -> Path:
    """Where the data lie: `config.root`, else $DCP_DATA, else the folder `dcp` in the platform's cache.

    `~`, environment variables and a leading `$DCP_DATA` (also where it is not set) are expanded.

    Raises:
        RequestError: `config.missing`, it begins with the home folder of a user that is not known.
    """
    return Path(data_folder(config))


def data_folder(config: DataConfig) -> Folder:
    """The same, called as it is written where that has variables other than `$DCP_DATA`, and by its path elsewhere.

    Raises:
        RequestError: as `data_root`.
    """
    written = "$DCP_DATA" if config.root is None else config.root
    head, *rest = Path(written).parts or (".",)
    if head in ("$DCP_DATA", "${DCP_DATA}"):
        folder = os.environ.get("DCP_DATA") or f"{platform_cache()}/dcp"
        return Folder(expanded_path(folder, slug=config.missing, where="DCP_DATA").joinpath(*rest))
    expanded = os.path.expandvars(written)
    path = expanded_path(expanded, slug=config.missing, where="data.root", shown=written)
    return Folder(path, "" if expanded == written else str(Path(written)))
