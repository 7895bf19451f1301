"""What every source of images of your own has: keys, and a first look at grey values of more than 8 bits."""

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from dcp.data import first_look
from dcp.data.datasets.base import LARGEST, FilesConfig
from dcp.data.grey_levels import Range
from dcp.data.image_lists import ImageList
from dcp.data.layout import MOST, RGB, Layout

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
