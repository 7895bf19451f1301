"""Make the views: crop, flip, colours, blur, normalise, as the parameters say, a batch at a time.

On a CUDA device nothing here waits for the device: parameters are drawn on the CPU, and which images an
operation concerns is known before it is launched. Everything is float32, inside of autocast too.

Shapes: B images, source H x W, view S x S.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from dcp.data.views.blur import blur
from dcp.data.views.colour import grayscale, hue_pass, jitter, solarize
from dcp.data.views.config import Views
from dcp.data.views.crop import crop, mirror
from dcp.data.views.parameters import Parameters, draw

# Values that go through all operations together on a CPU core, so that they stay in its cache:
# 3.2 MB, or 260 images of 32 px. At 96 px a quarter of that is 1.7 times slower, four times that 1.2 times.
_PART = 800_000


@torch.no_grad()
def two_views(
    images: Tensor, index: Tensor, config: Views, *, seed: int, epoch: int, size: int
) -> tuple[Tensor, Tensor]:
    """Two random views of each image.

    Args:
        images: uint8 [B, 3, H, W], on any device.
        index: int64 [B] on the CPU: each image's place in the data set. Its views depend on that, not on
            its place in the batch.
        config: the recipe's [views] table.
        seed: of the run.
        epoch: from 0.
        size: S, side of a view in pixels.

    Returns:
        Two float32 [B, 3, S, S] on the device of `images`, in [0, 1] before they are normalised.

    Raises:
        ValueError: for images that are not uint8 [B, 3, H, W]; for an index that is not on the CPU, or not
        one
            for each image.
        RequestError: if the blur kernel is too large for the view.

    >>> images = torch.zeros(2, 3, 40, 30, dtype=torch.uint8)
    >>> x1, x2 = two_views(images, torch.tensor([5, 8]), Views(), seed=0, epoch=0, size=32)
    >>> x1.shape
    torch.Size([2, 3, 32, 32])
    """
    _check_images(images)
    _check_index(index, len(images))
    height, width = images.shape[2:]

    def cut(images: Tensor, parameters: Parameters) -> Tensor:
        return crop(images, parameters.box, parameters.flip, size)

    def view(number: int) -> Tensor:
        parameters = draw(config, index, seed=seed, epoch=epoch, view=number, height=height, width=width)
        return _make(images, parameters, config, cut, size)

    return view(0), view(1)


@torch.no_grad()
def finish(crops: Tensor, parameters: Parameters, config: Views) -> Tensor:
    """Everything after the crop, for crops that were made elsewhere.

    Args:
        crops: uint8 [B, 3, S, S], on any device, as `crop_file` makes them.
        parameters: of the same B images and view; their boxes are not looked at.
        config: the recipe's [views] table.

    Returns:
        float32 [B, 3, S, S] on the device of `crops`; `crops` is left as it is.

    Raises:
        ValueError: for crops that are not uint8 [B, 3, S, S].
    """
    _check_images(crops)

    def cut(crops: Tensor, parameters: Parameters) -> Tensor:
        return mirror(_to_float(crops), parameters.flip)

    return _make(crops, parameters, config, cut, crops.shape[2])


@torch.no_grad()
def normalize(images: Tensor, config: Views) -> Tensor:
    """Pixels for evaluation: uint8 [..., 3, H, W] -> float32 in [0, 1], then normalised as the views are."""
    if images.dtype != torch.uint8:
        raise ValueError(f"images must be uint8, not {images.dtype}")
    return _standardize(_to_float(images), config)


def _make(
    images: Tensor,
    parameters: Parameters,
    config: Views,
    cut: Callable[[Tensor, Parameters], Tensor],
    size: int,
) -> Tensor:
    kernel = config.blur.kernel_at(size)
    view = torch.empty(len(images), 3, size, size, device=images.device)
    passes = hue_pass(parameters.jitter, parameters.order)
    with _full_precision(images.device.type):
        count = _images_at_once(images, size)
        for start in range(0, len(images), count):
            order = passes[start : start + count].argsort(stable=True)  # as jitter wants them
            back = order.argsort().to(images.device, non_blocking=True)
            sources = start + order
            own = parameters.of(sources)
            x = cut(images.index_select(0, sources.to(images.device, non_blocking=True)), own)
            x = jitter(x, own.jitter, own.order, own.factors)
            x = grayscale(x, own.grayscale)
            x = blur(x, own.blur, own.sigma, kernel)
            x = solarize(x, own.solarize, config.solarize_threshold)
            x = _standardize(x, config)
            torch.index_select(x, 0, back, out=view[start : start + count])
    return view


def _full_precision(device_type: str) -> AbstractContextManager[None]:
    if torch.amp.is_autocast_available(device_type):
        return torch.autocast(device_type, enabled=False)
    return nullcontext()


def _images_at_once(images: Tensor, size: int) -> int:
    if not images.is_cpu:
        return max(1, len(images))
    return max(1, _PART * torch.get_num_threads() // (3 * size * size))


def _to_float(images: Tensor) -> Tensor:
    return images.float().contiguous().div_(255)


def _standardize(x: Tensor, config: Views) -> Tensor:
    statistics = config.statistics()
    if statistics is None:
        return x
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in statistics)
    scale, shift = ((1 / std).to(x.device, non_blocking=True), (-mean / std).to(x.device, non_blocking=True))
    return torch.addcmul(shift, x, scale, out=x)


def _check_images(images: Tensor) -> None:
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(f"images must be uint8 [B, 3, H, W], not {images.dtype} {list(images.shape)}")


def _check_index(index: Tensor, count: int) -> None:
    if index.dtype != torch.int64 or list(index.shape) != [count] or not index.is_cpu:
        found = f"{index.dtype} {list(index.shape)} on {index.device}"
        raise ValueError(f"index must be torch.int64 [{count}] on the CPU, not {found}")
