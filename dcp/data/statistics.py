"""Mean and deviation of each channel of the training images, for `views.normalize = "computed"`.

They are those of at most `IMAGES` images, spread evenly over the list, as evaluation sees them: centre crops, after
`data.range`, in [0, 1]. Sums are of integers, so that every machine and every process finds the same numbers. A run
computes them once and writes them into run.json, from where resuming, probes and `load_encoder` take them.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import isfinite, sqrt
from typing import Any

import torch

from dcp.data import center_crops
from dcp.data.datasets.base import Dataset, MeanStd
from dcp.data.layout import WHITE
from dcp.data.readers import TRAINING
from dcp.data.views.config import Statistics, Views
from dcp.errors import RequestError

IMAGES = 2000
COMPUTED = "computed"


def noted(
    data: Dataset, config: Views, *, size: int, recorded: Mapping[str, Any] | None, workers: int | None = None
) -> Dataset:
    """The data set with the statistics that its views need: those that a record has, or new ones.

    Args:
        data: the training images.
        config: the recipe's [views] table.
        size: side of the views in pixels.
        recorded: what the record of a run that goes on says of its data; None for a new run.
        workers: as `computed`.

    Raises:
        RequestError: "no-range", a channel is the same everywhere.
        RunError: an image is broken.
    """
    if config.normalize != COMPUTED:
        return data
    if (found := _recorded(recorded)) is not None:
        return replace(data, mean_std=found)
    mean, std = computed(data, size, workers)
    numbers = "; ".join(f"{m:.4g} ± {s:.4g}" for m, s in zip(mean, std, strict=True))
    count = f"{min(IMAGES, len(data)):,} of {len(data):,} images"
    remark = f"normalised by the mean ± deviation of each channel, computed on {count}: {numbers}"
    return replace(data, mean_std=(mean, std), remarks=(*data.remarks, remark))


def settled(config: Views, recorded: Mapping[str, Any] | None) -> Views:
    """`config` with the statistics that were computed when the run began in place of "computed".

    Args:
        config: of the run.
        recorded: what its record says of the data, as `Dataset.facts`.

    Raises:
        RequestError: "broken-run", it says nothing.
    """
    if config.normalize != COMPUTED:
        return config
    found = _recorded(recorded)
    if found is None:
        what = "run.json does not say by which mean and deviation the images were normalised: data.mean_std"
        hint = 'Put run.json back from a copy; encoder.safetensors has them too, as "mean_std" in its header.'
        raise RequestError(what, slug="broken-run", where="run.json", hint=hint)
    return config.model_copy(update={"normalize": Statistics(mean=found[0], std=found[1])})


def computed(data: Dataset, size: int, workers: int | None = None) -> MeanStd:
    """Mean and deviation of the channels of at most `IMAGES` images.

    Args:
        data: the training images.
        size: side of the views in pixels.
        workers: how many processes read image files; 0: this one does; None: one a spare core.

    Raises:
        RequestError: "no-range", a channel is the same everywhere.
        RunError: an image is broken.
    """
    count = min(IMAGES, len(data))
    sample = data.subset(torch.arange(count) * len(data) // count)
    sums, squares, pixels, white = [0] * data.channels, [0] * data.channels, 0, 1
    for images in center_crops.pixels(sample, size, workers, TRAINING):
        white = WHITE[images.dtype]
        for image in images.to(torch.int64).flatten(2):  # an image at a time: no sum of its squares is beyond 63 bits
            sums = [have + int(new) for have, new in zip(sums, image.sum(1), strict=True)]
            squares = [have + int(new) for have, new in zip(squares, image.square().sum(1), strict=True)]
        pixels += images[:, 0].numel()
    mean = tuple(total / pixels / white for total in sums)
    variance = [pixels * square - total**2 for total, square in zip(sums, squares, strict=True)]  # exact: of integers
    if flat := [channel for channel, value in enumerate(variance, 1) if value == 0]:
        what = f"channel {flat[0]} of the training images is {mean[flat[0] - 1]:.4g} of white everywhere: no deviation"
        hint = 'views.normalize = "none", or leave the channel out; data.range says which values are black and white'
        raise RequestError(what, slug="no-range", where="views.normalize", hint=hint)
    return mean, tuple(sqrt(value) / pixels / white for value in variance)


def _recorded(recorded: Mapping[str, Any] | None) -> MeanStd | None:
    match (recorded or {}).get("mean_std"):
        case [[*mean], [*std]] if len(mean) == len(std) > 0:
            numbers = [*mean, *std]
            if all(isinstance(n, int | float) and isfinite(n) for n in numbers) and min(std) > 0:
                return tuple(map(float, mean)), tuple(map(float, std))
    return None
