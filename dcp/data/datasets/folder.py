"""Your own images: any folder, with labels or without.

    ROOT/train/CLASS/...  and  ROOT/val/CLASS/...     labelled
    ROOT/train/*.jpg      and  ROOT/val/...           two splits without labels
    anything else                                     all images below ROOT, at any depth, without labels

train may be called training; val may be called valid, validation, test or testing, in any case; where there are
validation and test images, the test split is the validation images. Without such a folder, images beside train/ are
refused: they might be meant for testing. So is val without train, and are folders further down that look like both.
One class is none: whatever is guessed would be right.

Labels are never used in training, only by probes. Without labels train is the same as pretrain, and so is
test where no folder is set apart for it. Which files count, and in which order: see `dcp.data.image_names`; how they
become RGB: see `dcp.data.image_files`; other numbers of channels, and 16 bits: `dcp.data.channels`; `range`:
`dcp.data.grey_levels`.
"""

from dataclasses import replace
from typing import Literal

from pydantic import Field

from dcp.data import first_look, image_folders
from dcp.data.datasets._own_images import OwnImagesConfig, grey
from dcp.data.datasets.base import Dataset, Split, data_folder
from dcp.data.folders import Folder
from dcp.data.image_lists import Files
from dcp.data.layout import RGB
from dcp.data.split_folders import further_down, splits
from dcp.errors import RequestError, printable


class Config(OwnImagesConfig):
    """Keys of a folder of images."""

    source: Literal["folder"] = Field("folder", description="image files of your own")
    root: str = Field(description="folder of the images; may begin with ~ or $DCP_DATA")

    def folder(self) -> Folder:
        """Where the images are; .npy files are images unless bytes of red, green and blue are wanted.

        Raises:
            RequestError: as `data_folder`.
        """
        folder = data_folder(self)
        return folder if self.layout == RGB else folder.with_arrays()

    def labelled(self) -> bool:
        """Whether there are class folders; what is not there may have some.

        Raises:
            RequestError: a folder may not be read, or as `splits`.
        """
        root = self.folder()
        if not image_folders.is_folder(root):
            return True
        found = splits(root)
        return found is not None and image_folders.has_classes(found.train)


def load(config: Config, split: Split) -> Dataset:
    """One split as files, decoded when a batch needs them.

    Raises:
        RequestError: there are none that could be used; as `splits`, `further_down`, `image_folders.labelled` and
            `first_look.look`.
    """
    if config.download:
        hint = "Leave data.download out; data.root names the folder."
        raise RequestError("a folder cannot be downloaded", slug="not-downloadable", where="data.download", hint=hint)
    root = config.folder()
    found = splits(root)
    data = image_folders.unlabelled(root) if found is None else image_folders.labelled(found.train, found.test, split)
    remarks = [*data.remarks]
    assert isinstance(data.images, Files)
    if found is None:
        remarks += further_down(root, data.images)
    elif found.beside:
        others = printable(image_folders.listed(found.beside))
        remarks.append(f"not read beside {found.train.name}/ and {found.test.name}/: {others}")
    other = found is not None and split == "test" and config.range == "measured"
    scale, said = grey(config, image_folders.images(found.train) if found and other else data.images)
    remarks += said
    files = replace(data.images, grey=scale, layout=config.layout, skips=config.broken == "skip")
    return replace(data, images=files, remarks=(*remarks, *first_look.look(files, measured=config.range == "measured")))
