"""Your own images: any folder, with labels or without.

    ROOT/train/CLASS/...  and  ROOT/val/CLASS/...     labelled; val may be called test (val where both exist)
    ROOT/train/*.jpg      and  ROOT/val/...           two splits without labels
    anything else                                     all images below ROOT, at any depth, without labels

Labels are never used in training, only by probes. Without labels train is the same as pretrain, and so is
test where no folder is set apart for it. Which files count, and in which order: see `dcp.data.image_folders`; how they
become RGB: see `dcp.data.image_files`.
"""

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from dcp.data import image_folders
from dcp.data.datasets.base import DataConfig, Dataset, Split, data_root
from dcp.errors import RequestError


class Config(DataConfig):
    """Keys of a folder of images."""

    own_size: ClassVar[int] = 128
    missing: ClassVar[str] = "missing-folder"

    source: Literal["folder"] = Field("folder", description="image files of your own")
    root: str = Field(description="folder of the images; may begin with ~ or $DCP_DATA")
    download: bool = Field(False, description="must stay false: your own images are not downloaded")
    image_size: int | None = Field(None, ge=8, description="side of the square views in pixels; without it 128")

    def labelled(self) -> bool:
        """Whether there are class folders; what is not there may have some.

        Raises:
            RequestError: a folder may not be read.
        """
        root = data_root(self)
        return not image_folders.is_folder(root) or (
            _held_out(root) is not None and image_folders.has_classes(root / "train")
        )


def load(config: Config, split: Split) -> Dataset:
    """One split as files, decoded when a batch needs them."""
    if config.download:
        hint = "Leave data.download out; data.root names the folder."
        raise RequestError("a folder cannot be downloaded", slug="not-downloadable", where="data.download", hint=hint)
    root = data_root(config)
    held_out = _held_out(root)
    if held_out is None:
        return Dataset(image_folders.images(root))
    return image_folders.labelled(root / "train", held_out, split)


def _held_out(root: Path) -> Path | None:
    """The folder of the test images; None where train and test are no folders of their own."""
    folders = (root / name for name in ("val", "test") if image_folders.is_folder(root / name))
    return next(folders, None) if image_folders.is_folder(root / "train") else None
