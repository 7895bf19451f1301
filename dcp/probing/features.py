"""Features: what a frozen encoder makes of every image of a data set, without augmentation.

Shapes: N images, B of a batch, D features.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from dcp.data import center_crops
from dcp.data.datasets.base import Dataset
from dcp.data.views import apply
from dcp.probing.evaluations.base import Features
from dcp.runs.encoder import Encoder


@torch.no_grad()
def features(encoders: Sequence[Encoder], data: Dataset, device: str) -> list[Features]:
    """What each encoder makes of every image, read once for all of them; label -1 where there is none.

    Args:
        encoders: of the same preprocessing.
        data: N images.
        device: where the encoders run and where the features [N, D] float32 stay.
    """
    moved = [module.to(device=device, memory_format=torch.channels_last) for module in encoders]  # type: ignore[call-overload]
    parts: list[list[Tensor]] = [[] for _ in encoders]
    for pixels in center_crops.pixels(data, encoders[0].size):
        x = apply.normalize(pixels.to(device, non_blocking=True), encoders[0].config)
        for module, part in zip(moved, parts, strict=True):
            part.append(module(x).float())
    labels = torch.full((len(data),), -1) if data.labels is None else data.labels
    return [Features(torch.cat(part), labels) for part in parts]
