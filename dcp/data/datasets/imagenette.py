"""Imagenette v2 (fast.ai): ten classes of ImageNet that are easy to tell apart, as JPEG files.

9,469 images for pretrain and train (the same ones), 3,925 for test (its val). On disk as torchvision lays it
out: ROOT/imagenette2-160/{train,val}/WNID/*.JPEG, imagenette2-320 for 320 pixels on the shorter side,
imagenette2 for the full size.
"""

from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field

from dcp.data import downloads, image_folders
from dcp.data.datasets.base import Dataset, FilesConfig, Split, data_folder

CLASSES = {
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}
COUNTS = {"pretrain": 9469, "train": 9469, "test": 3925}
ARCHIVES = {  # what each unpacks to, and its md5 as torchvision has it
    "160px": ("imagenette2-160", "e793b78cc4c9e9a4ccc0c1155377a412"),
    "320px": ("imagenette2-320", "3df6f0d01a2c9592104656642f5e78a3"),
    "full": ("imagenette2", "fe2fc210e6bb7c5664d602c3cd71e612"),
}
URL = "https://s3.amazonaws.com/fast-ai-imageclas/"


class Config(FilesConfig):
    """Keys of Imagenette."""

    licence: ClassVar[str] = (
        "Apache-2.0 of the collection; the images are ImageNet's, with its terms, and their authors'"
    )
    source: Literal["imagenette"] = Field("imagenette", description="Imagenette, read from ROOT/imagenette2-160")
    size: Literal["160px", "320px", "full"] = Field("160px", description="shorter side of the files in pixels")
    image_size: int | None = Field(
        None, ge=8, le=4096, description="side of the square views in pixels; default 128 for 160px, otherwise 224"
    )

    @property
    def view_size(self) -> int:
        """Side of the square views in pixels."""
        return self.image_size or (128 if self.size == "160px" else 224)


def load(config: Config, split: Split) -> Dataset:
    """One split as files; labels are the classes in the order of their WordNet numbers."""
    root, (name, md5) = data_folder(config), ARCHIVES[config.size]
    holds = "train/ and val/, each with 10 folders"
    place = downloads.Place("imagenette", root / name, holds, f"{URL}{name}.tgz", root)
    if not image_folders.is_folder(place.folder):
        if not config.download:
            raise place.missing([])
        downloads.fetch(place, f"{name}.tgz", md5)
    train, val = place.folder / "train", place.folder / "val"
    if not (image_folders.is_folder(train) and image_folders.is_folder(val)):
        raise place.damaged("train/ and val/ are not both there")
    data = image_folders.labelled(train, val, split)
    if len(data) != COUNTS[split]:  # copied, or unpacked by hand, and not to the end
        raise place.damaged(f"{len(data)} of {COUNTS[split]} images in its {split} split")
    return replace(data, classes=tuple(CLASSES.get(wnid, wnid) for wnid in data.classes))
