"""Images as people have them: PIL's, paths, NumPy's and torch's arrays, alone or as a list; each becomes a tensor."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias, Union

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from dcp.data import array_files, channels
from dcp.data.array_files import Raw, WrongChannels
from dcp.data.grey_levels import Range
from dcp.data.image_files import in_words, rgb
from dcp.data.layout import RGB, WHITE, Layout
from dcp.errors import RequestError, RunError

One: TypeAlias = Union[Image.Image, str, "os.PathLike[str]", "npt.NDArray[Any]", Tensor]  # an array may hold many
Given: TypeAlias = One | Sequence[One]

NO_RANGE = "Give uint8 or uint16; or train with data.range = [low, high], which the encoder then keeps."


def taken(layout: Layout) -> str:
    """What is taken, in words."""
    c, alone = layout.channels, " or [H, W]" if layout.channels in (1, 3) else ""
    return (
        f"a PIL image, a path, a NumPy array [H, W, {c}]{alone} of uint8 or uint16, a tensor [{c}, H, W] of the same;\n"
        f"a list of these; an array [N, H, W, {c}], a tensor [..., {c}, H, W]"
    )


def tensors(given: Given, layout: Layout = RGB, grey: Range | None = None) -> Tensor | list[Tensor]:
    """Images as uint8 or uint16: one tensor [..., C, H, W] of one image or one array; a list, an item each, of a list.

    Args:
        given: the images.
        layout: what they become.
        grey: range of values of more than 8 bits; None for the kind's own.

    Raises:
        RequestError: "bad-image", it is none of what is `taken`, or a file that cannot be decoded.
    """
    if isinstance(given, (list, tuple)):
        return list(each(given, layout, grey))
    return tensor(given, layout, grey)  # type: ignore[arg-type]


def each(given: Sequence[One], layout: Layout, grey: Range | None) -> Iterator[Tensor]:
    """The images [C, H, W] of a list, one after the other; arrays in it are one image each."""
    for number, one in enumerate(given):
        where = f"image {number} of {len(given)}"
        image = tensor(one, layout, grey, where)
        if image.dim() != 3:
            raise _refused(f"an array of shape {list(np.shape(one))}", layout, where)  # type: ignore[arg-type]
        yield image


def tensor(one: One, layout: Layout, grey: Range | None, where: str = "") -> Tensor:
    """One image, or one array of several, as uint8 or uint16 [..., C, H, W].

    Raises:
        RequestError: as `tensors`.
    """
    if isinstance(one, (str, os.PathLike, Image.Image)):
        shown = where if isinstance(one, Image.Image) else str(one)
        try:
            with in_words(shown):
                if not isinstance(one, Image.Image):
                    return channels.pixels(Path(one), grey, layout)
                one.load()  # whose file may be cut short
            return _of_pillow(one, layout, grey, where)
        except RunError as error:
            gone = isinstance(error.__cause__, FileNotFoundError)
            message = "there is no such file" if gone else error.message
            hint = NO_RANGE if error.slug == "no-range" else ""
            raise RequestError(message, slug="bad-image", where=shown, hint=hint) from None
    kind = f"{type(one).__name__} of {one.dtype}" if isinstance(one, (np.ndarray, Tensor)) else type(one).__name__
    many = layout.channels
    if isinstance(one, np.ndarray) and one.dtype in (np.uint8, np.uint16):
        alone = one.ndim == 2 and many in (1, 3)
        if alone or (one.ndim >= 3 and one.shape[-1] == 1):
            one = np.repeat(one.reshape(*one.shape[: max(2, one.ndim - 1)], 1), many if many == 3 else 1, axis=-1)
        if one.ndim >= 3 and one.shape[-1] == many and one.size:
            return _levels(torch.from_numpy(np.ascontiguousarray(np.moveaxis(one, -1, -3))), layout, grey)
    if isinstance(one, Tensor) and one.dtype in WHITE:
        if one.dim() >= 3 and one.shape[-3] == many and one.numel():
            return _levels(one, layout, grey)
        if one.dim() >= 3 and one.shape[-3] == 1 and many == 3 and one.numel():
            return _levels(one.expand(*one.shape[:-3], 3, *one.shape[-2:]), layout, grey)
    shape = f", of shape {list(one.shape)}" if isinstance(one, (np.ndarray, Tensor)) else ""
    raise _refused(f"{kind}{shape}", layout, where)


def _of_pillow(image: Image.Image, layout: Layout, grey: Range | None, where: str) -> Tensor:
    if layout == RGB:
        return torch.from_numpy(np.array(rgb(image, grey))).permute(2, 0, 1)
    try:
        raw = channels.fitting(channels.from_pillow(image, layout), layout)
        return torch.from_numpy(channels.levels(raw, grey, layout)).permute(2, 0, 1)
    except WrongChannels as error:
        raise _refused(f"a PIL image, {image.mode}: {error}", layout, where) from None


def _levels(images: Tensor, layout: Layout, grey: Range | None) -> Tensor:
    """The same values in the layout's type: those of 16 bits by the range, those of 8 as shares of white."""
    if images.dtype == torch.uint8 and layout.bits == 8:
        return images
    values = images.cpu().numpy()
    rows = values.reshape(-1, 1, 1)  # any shape: each value for itself
    made = channels.levels(Raw(rows, array_files.own_range(values.dtype)), grey, Layout(1, layout.bits))
    return torch.from_numpy(made.reshape(values.shape)).to(images.device)


def _refused(what: str, layout: Layout, where: str) -> RequestError:
    hint = taken(layout)
    return RequestError(f"this is no image that an encoder takes: {what}", slug="bad-image", where=where, hint=hint)
