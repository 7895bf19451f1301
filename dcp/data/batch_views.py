"""The views of the images of a batch, from memory or from the crops that workers made.

On a GPU with CUDA everything is drawn and computed there, in the shapes of the batch, so that it can be part of a CUDA
graph. Elsewhere the host draws the parameters, and only images that an operation concerns go through it.

Shapes: B images of this process, C channels, S side of the views in pixels, V views of a size.
"""

from math import prod

import torch
from torch import Tensor

from dcp.data.image_lists import ImageList
from dcp.data.loader import Batch
from dcp.data.views import apply, parameters
from dcp.data.views.config import Views
from dcp.data.views.on_device import DeviceViews


class BatchViews:
    """Makes the views of a batch, on its device.

    Args:
        images: all of them uint8 [N, C, H, W], which are brought to the device; or files, which come as crops.
        config: the recipe's [views] table.
        size: S, of the global views.
        seed: of the run.
        device: where the views are made.
    """

    def __init__(
        self, images: Tensor | ImageList, config: Views, *, size: int, seed: int, device: torch.device
    ) -> None:
        self.images = images.to(device) if isinstance(images, Tensor) else None
        self.config, self.size, self.seed, self.device, self.epoch = config, size, seed, device, 0
        channels = self.channels = images.shape[1] if isinstance(images, Tensor) else images.layout.channels
        self.groups = config.groups(size)
        self.on_device: list[DeviceViews] = []  # one for each size
        if device.type == "cuda":
            self.on_device = [
                DeviceViews(own, size=side, seed=seed, device=device, channels=channels, views=numbers)
                for own, side, numbers in self.groups
            ]

    def inputs(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """What `of` takes of a batch, where it takes it; no part of a graph."""
        self.epoch = batch.epoch
        crops = None if batch.crops is None else batch.crops.to(self.device, non_blocking=True)
        if not self.on_device:
            return batch.index, crops
        for views in self.on_device:
            views.set_epoch(batch.epoch)
        return batch.index.to(self.device, non_blocking=True), crops

    def of(self, index: Tensor, crops: Tensor | None) -> tuple[Tensor, ...]:
        """The views of the images of these numbers, int64 [B]; of files given their `crops`.

        First the `config.count` global ones, float32 [B, C, S, S], then the local ones, of their own side.
        """
        if self.images is None:
            assert crops is not None, "image files come as crops"
            return self._finished(index, crops)
        own = self.images[index.to(self.device, non_blocking=True)]
        if self.on_device:
            return tuple(view for views in self.on_device for view in views.of_images(own, index))
        where = {"seed": self.seed, "epoch": self.epoch}
        return apply.random_views(own, index, self.config, **where, size=self.size)

    def _finished(self, index: Tensor, crops: Tensor) -> tuple[Tensor, ...]:
        shapes = [group.shape(self.channels) for group in self.groups]
        parts = crops.flatten(1).split([prod(shape) for shape in shapes], dim=1)
        crops_by_size = [part.unflatten(1, shape) for part, shape in zip(parts, shapes, strict=True)]
        if self.on_device:
            made = zip(self.on_device, crops_by_size, strict=True)
            return tuple(view for views, own in made for view in views.of_crops(own, index))
        where = {"seed": self.seed, "epoch": self.epoch}
        return tuple(
            apply.finish(own[:, i], parameters.draw(self.config, index, **where, view=view), self.config)
            for group, own in zip(self.groups, crops_by_size, strict=True)
            for i, view in enumerate(group.numbers)
        )
