"""Images as people have them: PIL's, paths, NumPy's and torch's arrays, alone or as a list; each becomes a tensor."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias, Union

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from dcp.data.image_files import decode, rgb
from dcp.errors import RequestError, RunError

One: TypeAlias = Union[Image.Image, str, "os.PathLike[str]", "npt.NDArray[np.uint8]", Tensor]  # an array may hold many
Given: TypeAlias = One | Sequence[One]

TAKEN = (
    "a PIL image, a path, a NumPy array [H, W, 3] or [H, W] of uint8, a tensor [3, H, W] of uint8; a list of these;\n"
    "an array [N, H, W, 3], a tensor [..., 3, H, W] of uint8"
)


def tensors(given: Given) -> Tensor | list[Tensor]:
    """Images as uint8: one tensor [..., 3, H, W] of what is one image or one array; a list, an item each, of a list.

    Raises:
        RequestError: "bad-image", it is none of `TAKEN`, or a file that cannot be decoded.
    """
    return list(each(given)) if isinstance(given, (list, tuple)) else tensor(given)  # type: ignore[arg-type]


def each(given: Sequence[One]) -> Iterator[Tensor]:
    """The images [3, H, W] of a list, one after the other; arrays in it are one image each."""
    for number, one in enumerate(given):
        image = tensor(one, f"image {number} of {len(given)}")
        if image.dim() != 3:
            raise _refused(f"an array of shape {list(np.shape(one))}", f"image {number} of {len(given)}")  # type: ignore[arg-type]
        yield image


def tensor(one: One, where: str = "") -> Tensor:
    """One image, or one array of several, as uint8 [..., 3, H, W].

    Raises:
        RequestError: as `tensors`.
    """
    if isinstance(one, Image.Image):
        return torch.from_numpy(np.array(rgb(one, None))).permute(2, 0, 1)
    if isinstance(one, (str, os.PathLike)):
        try:
            return decode(Path(one))
        except RunError as error:
            raise RequestError(error.message, slug="bad-image", where=error.where) from None
    kind = f"{type(one).__name__} of {one.dtype}" if isinstance(one, (np.ndarray, Tensor)) else type(one).__name__
    if isinstance(one, np.ndarray) and one.dtype == np.uint8:
        if one.ndim == 2 or (one.ndim >= 3 and one.shape[-1] == 1):
            one = np.repeat(one.reshape(*one.shape[: max(2, one.ndim - 1)], 1), 3, axis=-1)
        if one.ndim >= 3 and one.shape[-1] == 3 and one.size:
            return torch.from_numpy(np.ascontiguousarray(np.moveaxis(one, -1, -3)))
    if isinstance(one, Tensor) and one.dtype == torch.uint8:
        if one.dim() >= 3 and one.shape[-3] == 3 and one.numel():
            return one
        if one.dim() >= 3 and one.shape[-3] == 1 and one.numel():
            return one.expand(*one.shape[:-3], 3, *one.shape[-2:])
    shape = f", of shape {list(one.shape)}" if isinstance(one, (np.ndarray, Tensor)) else ""
    raise _refused(f"{kind}{shape}", where)


def _refused(what: str, where: str) -> RequestError:
    return RequestError(f"this is no image that an encoder takes: {what}", slug="bad-image", where=where, hint=TAKEN)
