"""Features: what a frozen encoder makes of every image of a data set, without augmentation.

Shapes: N images, B of a batch, D features, D' size of the projection.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from dcp import catalogue
from dcp.data import center_crops
from dcp.data.datasets.base import Dataset, Split
from dcp.data.views import apply
from dcp.method import weights
from dcp.method.moments import own
from dcp.probing.evaluations.base import Features, Origin, Subject
from dcp.recipe import build
from dcp.recipe.recipe import Recipe
from dcp.runs import checkpoint
from dcp.runs.encoder import Encoder
from dcp.runs.run import Run

PREDICTOR, PROJECTOR = "predictor.", "online.projector."  # what the names of their tensors begin with
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
    """The trained encoder, with F, W and its projector, and the untrained one; each image is read once for both.

    After each batch `made` is told which share of the images is done.
    """
    train, test, workers = splits["train"], splits["test"], recipe.probe.workers
    total = len(train) + len(test)
    made(0.0)
    learnt = features(encoders, train, device, lambda images: made(images / total), workers)
    held_out = features(encoders, test, device, lambda images: made((len(train) + images) / total), workers)
    tensors = kept(run, most=ROOM + TIMES * weights.size(encoders[0].backbone.state_dict().values()))
    trained, untrained = (
        Subject(x, x_test, train.classes, origin=Origin(each, train, test, each.size, each.config, workers, projector))
        for each, projector, x, x_test in zip(
            encoders, projectors(recipe, tensors, device), learnt, held_out, strict=True
        )
    )
    F, W = matrices(recipe, tensors)
    return replace(trained, F=F, W=W), untrained


def kept(run: Run, most: int = weights.MOST) -> dict[str, Tensor]:
    """The tensors of the checkpoint at the end of training, of at most so many bytes; none if it is gone."""
    path = run.path / checkpoint.FILE
    found = checkpoint.read(path, folder=path.parent, most=most)
    return found[0] if found else {}


def projectors(
    recipe: Recipe, tensors: Mapping[str, Tensor], device: str = "cpu"
) -> tuple[nn.Sequential, nn.Sequential] | tuple[None, None]:
    """The projector that has these tensors, and that of the start, in eval mode; None where the tensors lack it."""
    state = {name.removeprefix(PROJECTOR): value for name, value in tensors.items() if name.startswith(PROJECTOR)}
    with torch.random.fork_rng(devices=[]):
        trained, untrained = (build.at_start(recipe).projector.eval().requires_grad_(False) for _ in range(2))
    try:
        trained.load_state_dict(state)
    except RuntimeError:  # the checkpoint is gone, or the recipe is of an older or newer version
        return None, None
    return trained.to(device), untrained.to(device)


def matrices(recipe: Recipe, tensors: Mapping[str, Tensor]) -> tuple[Tensor | None, Tensor | None]:
    """F [D', D'] in a checkpoint, centred if the recipe says so, and W where the predictor is one matrix."""
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
