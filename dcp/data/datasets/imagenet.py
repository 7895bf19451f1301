"""ImageNet-1k (Russakovsky et al. 2015, arXiv:1409.0575), or a part of it with fewer classes, as JPEG files.

On disk as torchvision lays it out: ROOT/{train,val}/WNID/*.JPEG, or the same below ROOT/imagenet. Classes are
the WordNet numbers. It cannot be downloaded: its terms must be accepted first.
"""

from typing import ClassVar, Literal

from pydantic import Field

from dcp.data import image_folders
from dcp.data.datasets.base import Dataset, FilesConfig, Split, data_folder
from dcp.errors import RequestError


class Config(FilesConfig):
    """Keys of ImageNet."""

    own_size: ClassVar[int] = 224
    licence: ClassVar[str] = (
        "ImageNet's terms: research and education that is not commercial; the images are their authors'"
    )

    source: Literal["imagenet"] = Field("imagenet", description="ImageNet, read from ROOT/train and ROOT/val")
    download: bool = Field(False, description="must stay false: the terms of ImageNet forbid it")
    image_size: int | None = Field(None, ge=8, le=4096, description="side of the square views in pixels; default 224")


def load(config: Config, split: Split) -> Dataset:
    """One split as files; test is ImageNet's val."""
    root = data_folder(config)
    for folder in (root, root / "imagenet"):
        if all(image_folders.is_folder(folder / name) for name in ("train", "val")):
            return image_folders.labelled(folder / "train", folder / "val", split)
    raise RequestError(
        "ImageNet cannot be downloaded by a program" if config.download else "imagenet is not there",
        slug="missing-data",
        where=str(root),
        hint=(
            f"{root} must hold train/WNID/*.JPEG and val/WNID/*.JPEG; or set data.root or $DCP_DATA.\n"
            "Accept the terms at https://image-net.org, and put these three into the folder:\n"
            "ILSVRC2012_devkit_t12.tar.gz, ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar.\n"
            "Then torchvision.datasets.ImageNet(ROOT, split) unpacks them, for split train and for split val."
        ),
    )
