"""Features of images, batch after batch: decoded by readers, cut to the middle, through the frozen encoder.

Batches are those of the list, whatever is left out of them: the features of an image do not depend on where the work
began, nor on whether another image can be read.

Legend: B images of a batch, D features, S side of the encoder's images.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dcp.data import center_crops
from dcp.data.image_lists import ImageList
from dcp.data.loader import worker_count
from dcp.data.readers import Advice, decoded
from dcp.data.views import apply
from dcp.data.views.files import resize_center
from dcp.errors import RequestError, RunError
from dcp.exporting.feature_files.base import Features
from dcp.exporting.partial import Part
from dcp.exporting.source import Images
from dcp.hardware.device import choose_device
from dcp.runs import encoder as encoders
from dcp.runs.encoder import Encoder
from dcp.runs.run import Run

BATCH = 256
ADVICE = Advice("--workers", "Go on with the same command", ", or a smaller --batch")
BROKEN = "broken-image"  # slug of the error of an image that cannot be read


@dataclass(frozen=True)
class How:
    """How features are made."""

    batch: int = BATCH
    device: str = "auto"
    workers: int | None = None  # processes that decode image files; None: one a spare core
    skip_broken: bool = False

    def __post_init__(self) -> None:
        for option, value, least, most in (("--batch", self.batch, 1, 2**16), ("--workers", self.workers, 0, 1024)):
            if value is None and option == "--workers":
                continue
            if type(value) is not int or not least <= value <= most:
                what = (
                    f"{option} is {value:,}" if type(value) is int else f"{option} is no whole number: {value!r:.100}"
                )
                raise RequestError(what, slug="bad-option", where=option, hint=f"from {least} to {most:,}")


@torch.inference_mode()
def prepared(run: Run, how: How) -> tuple[Encoder, int]:
    """The encoder on its device, and D."""
    encoder = encoders.load(run)
    encoder.to(device=choose_device(how.device), memory_format=torch.channels_last)  # type: ignore[call-overload]
    channels = run.recipe().get("data", {}).get("channels", 3)
    nothing = torch.zeros(1, channels, encoder.size, encoder.size, device=encoder.device)
    return encoder, int(encoder(nothing).shape[1])


@torch.inference_mode()
def parts(encoder: Encoder, images: Images, how: How, start: int) -> Iterator[Part]:
    """What becomes of each batch, from the image `start` on."""
    index = torch.arange(start, len(images)).split(how.batch) if start < len(images) else ()
    if isinstance(images.data.images, Tensor):
        held = images.data.images
        for part in index:
            yield _made(encoder, resize_center(held[part], encoder.size), [])
        return
    centres = Centres(images.data.images, encoder.size, skips=how.skip_broken)
    keys = (torch.stack([torch.zeros_like(part), part], dim=1) for part in index)
    readers = min(worker_count(how.workers, 1), len(index))
    pin = encoder.device.type == "cuda"
    with contextlib.closing(decoded(centres, keys, most=how.batch, readers=readers, pin=pin, advice=ADVICE)) as ready:
        for part, pixels in zip(index, ready, strict=True):
            broken = [i for i in part.tolist() if i in centres.in_place]
            yield _made(encoder, pixels, [(i - int(part[0]), i, centres.why(i)) for i in broken])


def _made(encoder: Encoder, pixels: Tensor, broken: list[tuple[int, int, str]]) -> Part:
    """Features of a batch, without the rows of images that could not be read: (row, image, why)."""
    x = apply.normalize(pixels.to(encoder.device, non_blocking=True), encoder.config)
    features: Features = encoder(x.contiguous(memory_format=torch.channels_last)).float().cpu().numpy()
    kept = np.delete(features, [row for row, *_ in broken], axis=0) if broken else features
    return Part(len(pixels), kept, [(image, why) for _, image, why in broken])


class Centres(center_crops.Centres):
    """Image files as evaluation sees them; one that cannot be read is black and noted, if it is to be left out."""

    def __init__(self, files: ImageList, size: int, *, skips: bool) -> None:
        super().__init__(files, size)
        self.skips, self.in_place = skips, {}

    def read(self, epoch: int, image: int) -> Tensor:
        """The middle of an image; RunError where its file is broken."""
        try:
            return super().read(epoch, image)
        except RunError as error:
            if not self.skips or error.slug != BROKEN:
                raise
            self.in_place[image] = -1
            return torch.zeros(self.shape, dtype=self.dtype)

    def why(self, image: int) -> str:
        """What is wrong with an image that could not be read."""
        try:
            self.files.decode(image)
        except RunError as error:
            return error.message
        return "it could not be read at first"
