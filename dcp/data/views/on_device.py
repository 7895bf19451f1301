"""Views of a batch made wholly on the device that holds it, so that a CUDA graph can hold their making.

The same views as `apply.random_views` makes, to float32's rounding. There the host draws all parameters and launches an
operation for the images concerned alone. Here the device draws them too, every image passes through every operation
of the recipe, and nothing differs from step to step but tensors: shapes, launches and the host's work stay.

Shapes: B images of C channels, source H x W, V views S x S of each; N = V B views, those of an image side by side.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from dcp.data.layout import WHITE
from dcp.data.views import crop_boxes, parameters, planes
from dcp.data.views.apply import check_images
from dcp.data.views.colour import LUMA
from dcp.data.views.config import Views
from dcp.data.views.crop_boxes import ATTEMPTS
from dcp.data.views.random_numbers import keys, numbers, steps


class DeviceViews:
    """V random views of the images of a batch; constants lie on the device from the start.

    >>> views = DeviceViews(Views(), size=32, seed=0, device=torch.device("cpu"))
    >>> views.set_epoch(3)
    >>> x1, x2 = views.of_images(torch.zeros(2, 3, 40, 30, dtype=torch.uint8), torch.tensor([5, 8]))
    >>> x1.shape
    torch.Size([2, 3, 32, 32])
    """

    def __init__(
        self,
        config: Views,
        *,
        size: int,
        seed: int,
        device: torch.device,
        channels: int = 3,
        views: Sequence[int] = (0, 1),
    ) -> None:
        """Views of epoch 0, for now.

        Args:
            config: the recipe's [views] table.
            size: S.
            seed: of the run.
            device: of the images that will come, and of their indices.
            channels: C; colour operations are for 3, jitter without saturation and hue also for 1.
            views: the numbers of the V views, see `Group`.

        Raises:
            RequestError: the blur kernel is too large for the view.
        """
        self.size, self.seed, self.device, self.channels, self.views = size, seed, device, channels, views
        self.autocasts = torch.amp.is_autocast_available(device.type)

        def constant(values: Sequence[float] | Sequence[Sequence[float]], dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.tensor(values, dtype=dtype, device=device)

        # what is never done in any view is left out
        chances = [parameters.chances(config, view) for view in views]
        self.flips, jitters, self.grays, blurs, self.solarizes = (max(each) > 0 for each in zip(*chances, strict=True))
        strengths = (config.jitter.brightness, config.jitter.contrast, config.jitter.saturation, config.jitter.hue)
        operations = [op for op, strength in enumerate(strengths) if strength > 0 and jitters]
        self.jitter = planes.Jitter(operations, device, channels) if operations else None
        kernel = config.blur.kernel_at(size)
        self.blur = planes.Blur(kernel, size, device) if blurs and kernel > 1 else None

        # the random numbers of a view, see `_draw`
        self.columns = [*parameters.columns(operations), *crop_boxes.columns()]
        self.steps = steps(self.columns, device)
        self.chances = constant(chances, torch.float64)
        crops = [ends for ends in crop_boxes.ranges(config) for _ in range(ATTEMPTS)]
        self.low, high = constant([*parameters.ranges(config, operations), *crops], torch.float64).unbind(dim=1)
        self.span = high - self.low
        self.splits = [len(chances[0]), len(operations), len(self.low), 2 * ATTEMPTS]

        self.crop, self.crop_ratio = planes.Crop(size, device), config.crop_ratio
        self.pixels, self.mirrored = torch.arange(size, device=device), torch.arange(size, device=device).flip(0)
        self.luma = constant(LUMA)
        self.threshold, self.never = constant([config.solarize_threshold]), constant([torch.inf])
        statistics = config.statistics()
        self.standardizes = statistics is not None
        mean, std = (constant(values).view(-1, 1, 1) for values in statistics or ((0.0,) * channels, (1.0,) * channels))
        self.scale, self.shift = 1 / std, -mean / std

        self.keys = torch.empty(len(views), len(self.columns), dtype=torch.int64, device=device)
        self.epoch = -1
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """From here on the views are those of `epoch`, from 0; called outside of a graph, whose replays read it."""
        if epoch == self.epoch:
            return
        self.epoch = epoch
        fresh = torch.tensor([keys(self.seed, epoch, view, self.columns) for view in self.views])
        self.keys.copy_(fresh, non_blocking=True)

    def of_images(self, images: Tensor, index: Tensor) -> tuple[Tensor, ...]:
        """Views of uint8 or uint16 [B, C, H, W]: V of float32 [B, C, S, S].

        Before normalisation they are in [0, 1] to a rounding.

        Args:
            images: on the device.
            index: int64 [B] on the device: each image's number in the data set.

        Raises:
            ValueError: images or an index of another kind.
        """
        check_images(images, self.channels)
        _check_index(index, images)
        height, width = images.shape[2:]
        device = images.device
        with self._float32():
            happens, rank, values, place = self._draw(index)
            strengths, share, log_ratio = values.tensor_split((-2 * ATTEMPTS, -ATTEMPTS), dim=2)
            source, *centred = (
                torch.linspace(*ends, 2, dtype=torch.float64, device=device).view(2, 1, 1)
                for ends in ((height, width), *crop_boxes.centre(self.crop_ratio, height, width))
            )
            place = place.unflatten(2, (2, ATTEMPTS)).movedim(2, 0)
            start, side = crop_boxes.first_fitting(height * width * share, log_ratio, place, source[..., None], centred)
            x = self.crop(images, start.float(), side.float(), happens[..., 0] if self.flips else None)
            return self._finish(x, happens, rank, strengths)

    def of_crops(self, crops: Tensor, index: Tensor) -> tuple[Tensor, ...]:
        """The same for crops [B, V, C, S, S] that `crop_file` made: what follows the crop."""
        shape, white = [len(self.views), self.channels, self.size, self.size], WHITE.get(crops.dtype)
        if white is None or list(crops.shape[1:]) != shape:
            wanted = ", ".join(map(str, ("B", *shape)))
            raise ValueError(f"crops must be uint8 or uint16 [{wanted}], not {crops.dtype} {list(crops.shape)}")
        _check_index(index, crops)
        with self._float32():
            happens, rank, values, _ = self._draw(index)
            # CUDA gathers bytes, and no uint16
            x = (crops if crops.dtype == torch.uint8 else crops.float()).flatten(0, 1).transpose(0, 1)
            if self.flips:
                pixel = torch.where(happens[..., 0].view(-1, 1, 1), self.mirrored, self.pixels)
                x = x.gather(3, pixel.expand(x.shape))
            x = torch.div(x.contiguous(), white).flatten(2)
            return self._finish(x, happens, rank, values[..., : -2 * ATTEMPTS])

    def _draw(self, index: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What happens: bool [B, V, 5]; ranks [B, V, operations]; strengths and boxes; places [B, V, 20]."""
        u = numbers(self.keys, index[:, None, None], self.steps)
        chance, rank, rest, place = u.split(self.splits, dim=2)
        return chance < self.chances, rank, self.low + self.span * rest, place  # `between`, with its difference ready

    def _finish(self, x: Tensor, happens: Tensor, rank: Tensor, strengths: Tensor) -> tuple[Tensor, ...]:
        """Colours, blur and normalisation of x [C, N, P], which may be overwritten."""
        channels, n, views, size = x.shape[0], x.shape[1], len(self.views), self.size
        _, jitter, grayscale, blur, solarize = happens.flatten(0, 1).unbind(dim=1)
        strengths = strengths.flatten(0, 1).float()
        if self.jitter is not None:
            x = self.jitter(x, jitter, rank.flatten(0, 1), strengths)
        y = planes.by_rows(x.view(channels, n, size, size))
        if self.grays:
            grays = planes.gray(x, self.luma).view(n, size, 1, size)
            y = planes.contiguous(torch.where, grayscale.view(n, 1, 1, 1), grays, y)
        if self.blur is not None:
            y = self.blur(y.contiguous(), blur, strengths[:, -1])
        if self.solarizes:
            bright = y >= torch.where(solarize, self.threshold, self.never).view(n, 1, 1, 1)
            y = torch.where(bright, 1 - y, y)
        y = y.view(n // views, views, size, channels, size).permute(1, 0, 3, 2, 4)
        y = planes.contiguous(torch.addcmul, self.shift, y, self.scale) if self.standardizes else y.contiguous()
        return y.unbind()

    def _float32(self) -> AbstractContextManager[None]:
        """No autocast: that would make the products bfloat16."""
        return torch.autocast(self.device.type, enabled=False) if self.autocasts else nullcontext()


def _check_index(index: Tensor, images: Tensor) -> None:
    if index.dtype != torch.int64 or list(index.shape) != [len(images)] or index.device != images.device:
        given = f"{index.dtype} {list(index.shape)} on {index.device}"
        raise ValueError(f"index must be torch.int64 [{len(images)}] on {images.device}, not {given}")
