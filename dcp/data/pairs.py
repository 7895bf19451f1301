"""Pairs: the two views of the images of a batch, from memory or from the crops that workers made.

On a GPU with CUDA everything is drawn and computed there, in the shapes of the batch, so that it can be part of a CUDA
graph. Elsewhere the host draws the parameters, and only images that an operation concerns go through it.

Shapes: B images of this process, C channels, S side of the views in pixels.
"""

import torch
from torch import Tensor

from dcp.data.image_lists import ImageList
from dcp.data.loader import Batch
from dcp.data.views import apply, parameters
from dcp.data.views.config import Views
from dcp.data.views.on_device import DeviceViews


class Pairs:
    """Makes the two views of a batch, on its device.

    Args:
        images: all of them uint8 [N, C, H, W], which are brought to the device; or files, which come as crops.
        config: the recipe's [views] table.
        size: S.
        seed: of the run.
        device: where the views are made.
    """

    def __init__(
        self, images: Tensor | ImageList, config: Views, *, size: int, seed: int, device: torch.device
    ) -> None:
        self.images = images.to(device) if isinstance(images, Tensor) else None
        self.config, self.size, self.seed, self.device, self.epoch = config, size, seed, device, 0
        channels = images.shape[1] if isinstance(images, Tensor) else images.layout.channels
        self.on_device = None
        if device.type == "cuda":
            self.on_device = DeviceViews(config, size=size, seed=seed, device=device, channels=channels)

    def inputs(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """What `of` takes of a batch, where it takes it; no part of a graph."""
        self.epoch = batch.epoch
        crops = None if batch.crops is None else batch.crops.to(self.device, non_blocking=True)
        if self.on_device is None:
            return batch.index, crops
        self.on_device.set_epoch(batch.epoch)
        return batch.index.to(self.device, non_blocking=True), crops

    def of(self, index: Tensor, crops: Tensor | None) -> tuple[Tensor, Tensor]:
        """Both views float32 [B, C, S, S] of the images of these numbers, int64 [B]; of files given their `crops`."""
        if self.on_device is not None:
            if self.images is None:
                assert crops is not None, "image files come as crops"
                return self.on_device.of_crops(crops, index)
            return self.on_device.of_images(self.images.index_select(0, index), index)
        where = {"seed": self.seed, "epoch": self.epoch}
        if self.images is not None:
            own = self.images[index.to(self.device, non_blocking=True)]
            return apply.two_views(own, index, self.config, **where, size=self.size)
        assert crops is not None, "image files come as crops"
        x1, x2 = (
            apply.finish(crops[:, view], parameters.draw(self.config, index, **where, view=view), self.config)
            for view in (0, 1)
        )
        return x1, x2
