"""Features of images, batch after batch: decoded by readers, cut to the middle, through the frozen encoder.

Batches are those of the list, whatever is left out of them: the features of an image do not depend on where the work
began, nor on whether another image can be read.

Legend: B images of a batch, D features, S side of the encoder's images.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dcp.data import center_crops
from dcp.data.broken_files import Undecodable
from dcp.data.image_lists import ImageList
from dcp.data.loader import worker_count
from dcp.data.readers import Advice, decoded
from dcp.data.views import apply
from dcp.data.views.files import resize_center
from dcp.errors import RequestError
from dcp.exporting import finite
from dcp.exporting.feature_files.base import Features
from dcp.exporting.partial import Part
from dcp.exporting.source import Images
from dcp.hardware.device import choose_device
from dcp.runs.encoder import Encoder
from dcp.runs.run import Run

BATCH = 256
ADVICE = Advice("--workers", "Go on with the same command", ", or a smaller --batch")


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
    encoder = finite.encoder(run)
    encoder.to(device=choose_device(how.device), memory_format=torch.channels_last)  # type: ignore[call-overload]
    channels = run.recipe().get("data", {}).get("channels", 3)
    nothing = torch.zeros(1, channels, encoder.size, encoder.size, device=encoder.device)
    return encoder, int(encoder(nothing).shape[1])


@torch.inference_mode()
def parts(run: Run, encoder: Encoder, images: Images, how: How, start: int, gone: Mapping[int, str]) -> Iterator[Part]:
    """What becomes of each batch, from the image `start` on; images that are `gone` are left out for that reason.

    Raises:
        RunError: "broken-image", "reader-ended" or "reader-stalled"; "bad-features".
    """

    def made(numbers: list[int], pixels: Tensor, broken: Mapping[int, str]) -> Part:
        x = apply.normalize(pixels.to(encoder.device, non_blocking=True), encoder.config)
        features: Features = encoder(x.contiguous(memory_format=torch.channels_last)).float().cpu().numpy()
        rows = [row for row, i in enumerate(numbers) if i not in broken]
        features = features[rows] if len(rows) < len(numbers) else features
        finite.check(features, run, lambda row: images.path(numbers[rows[row]]))
        return Part(len(numbers), features, [(i, broken[i]) for i in numbers if i in broken])

    index = torch.arange(start, len(images)).split(how.batch) if start < len(images) else ()
    if isinstance(images.data.images, Tensor):
        held = images.data.images
        for part in index:
            yield made(part.tolist(), resize_center(held[part], encoder.size), {})
        return
    centres = Centres(images.data.images, encoder.size, skips=how.skip_broken, gone=gone)
    keys = (torch.stack([torch.zeros_like(part), part], dim=1) for part in index)
    readers = min(worker_count(how.workers, 1), len(index))
    pin = encoder.device.type == "cuda"
    with contextlib.closing(decoded(centres, keys, most=how.batch, readers=readers, pin=pin, advice=ADVICE)) as ready:
        for part, pixels in zip(index, ready, strict=True):
            yield made(part.tolist(), pixels, centres.in_place)


class Centres(center_crops.Centres):
    """Image files as evaluation sees them; one that is to be left out is black, and noted with the reason.

    Left out are those that were `gone` at the start, and those whose content is no image. A file that cannot be read,
    though it is there, may be read tomorrow: that ends the work, which goes on later.
    """

    def __init__(self, files: ImageList, size: int, *, skips: bool, gone: Mapping[int, str]) -> None:
        super().__init__(files, size)
        self.skips, self.gone = skips, gone
        self.in_place: dict[int, Any] = {}  # image -> why it is left out

    def read(self, epoch: int, image: int) -> Tensor:
        """The middle of an image; RunError where its file cannot be read, or is broken and not to be left out."""
        try:
            if not self.skips or image not in self.gone:
                return super().read(epoch, image)
            self.in_place[image] = f"cannot read an image: {self.gone[image]}"
        except Undecodable as error:
            if not self.skips:
                raise
            self.in_place[image] = error.message
        return torch.zeros(self.shape, dtype=self.dtype)
