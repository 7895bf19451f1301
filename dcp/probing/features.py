"""Features: what a frozen encoder makes of every image of a data set, without augmentation.

Shapes: N images, B of a batch, D features, D' size of the projection.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from dcp import catalogue
from dcp.data import center_crops
from dcp.data.datasets.base import Dataset, Split
from dcp.data.views import apply
from dcp.method import weights
from dcp.method.moments import own
from dcp.probing.evaluations.base import Features, Origin, Subject
from dcp.recipe.recipe import Recipe
from dcp.runs import checkpoint
from dcp.runs.encoder import Encoder
from dcp.runs.run import Run

PREDICTOR = "predictor."  # what the names of its tensors begin with
ROOM, TIMES = 2**33, 32  # bytes of a checkpoint besides those of so many backbones: of projectors, mostly


@torch.no_grad()
def features(
    encoders: Sequence[Encoder],
    data: Dataset,
    device: str,
    made: Callable[[int], None] = lambda images: None,
    workers: int | None = None,
) -> list[Features]:
    """What each encoder makes of every image, read once for all of them; label -1 where there is none.

    The encoders have the same preprocessing and run on `device`, where the features [N, D] float32 stay. After each
    batch `made` is told how many images are done. So many `workers` decode files, or as many as pay.
    """
    moved = [module.to(device=device, memory_format=torch.channels_last) for module in encoders]  # type: ignore[call-overload]
    parts: list[list[Tensor]] = [[] for _ in encoders]
    for pixels in center_crops.pixels(data, encoders[0].size, workers):
        x = apply.normalize(pixels.to(device, non_blocking=True), encoders[0].config)
        for module, part in zip(moved, parts, strict=True):
            part.append(module(x).float())
        made(sum(map(len, parts[0])))
    labels = torch.full((len(data),), -1) if data.labels is None else data.labels
    return [Features(torch.cat(part), labels) for part in parts]


def subjects(
    run: Run,
    recipe: Recipe,
    encoders: Sequence[Encoder],
    splits: dict[Split, Dataset],
    device: str,
    made: Callable[[float], None] = lambda share: None,
) -> tuple[Subject, Subject]:
    """The trained encoder, with F and W, and the untrained one; each image is read once for both.

    After each batch `made` is told which share of the images is done.
    """
    train, test = splits["train"], splits["test"]
    total = len(train) + len(test)
    made(0.0)
    learnt = features(encoders, train, device, lambda images: made(images / total), recipe.probe.workers)
    held_out = features(
        encoders, test, device, lambda images: made((len(train) + images) / total), recipe.probe.workers
    )
    origins = [Origin(each, train, test, each.size, each.config, recipe.probe.workers) for each in encoders]
    trained, untrained = (
        Subject(x, x_test, train.classes, origin=origin)
        for origin, x, x_test in zip(origins, learnt, held_out, strict=True)
    )
    backbone = weights.size(encoders[0].backbone.state_dict().values())
    F, W = matrices(run, recipe, most=ROOM + TIMES * backbone)
    return replace(trained, F=F, W=W), untrained


def matrices(run: Run, recipe: Recipe, most: int = weights.MOST) -> tuple[Tensor | None, Tensor | None]:
    """F [D', D'] at the end of training, centred if the recipe says so, and W where the predictor is one matrix.

    The checkpoint that they are read from has at most so many bytes.
    """
    path = run.path / checkpoint.FILE
    found = checkpoint.read(path, folder=path.parent, most=most)
    tensors = found[0] if found else {}
    F, m = tensors.get("moments.second"), tensors.get("moments.first")
    if F is not None and m is not None and recipe.moments.zero_mean:
        F = F - torch.outer(m, m)
    state = {name.removeprefix(PREDICTOR): value for name, value in tensors.items() if name.startswith(PREDICTOR)}
    if not state:
        return F, None
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        module = catalogue.load("predictors", recipe.predictor.name)
        predictor = module.build(recipe.predictor, recipe.network.projector.out, own)
        try:
            predictor.load_state_dict(state)
        except RuntimeError:  # the recipe is of an older or newer version, and builds another predictor than theirs
            return F, None
        return F, predictor.matrix
