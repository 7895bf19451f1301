"""Subjects: the trained encoder and the untrained one, as evaluations see them."""

from dataclasses import replace

import torch
from torch import Tensor

from dcp import catalogue
from dcp.data.datasets.base import Dataset, Split
from dcp.method import weights
from dcp.method.moments import own
from dcp.probing.evaluations.base import Features, Origin, Subject
from dcp.probing.features import features
from dcp.recipe.recipe import Recipe
from dcp.runs import checkpoint
from dcp.runs.encoder import Encoder
from dcp.runs.run import Run

OF = "predictor."  # what the names of its tensors begin with


def pair(
    run: Run, recipe: Recipe, encoders: list[Encoder], splits: dict[Split, Dataset], device: str
) -> tuple[Subject, Subject]:
    """The trained encoder, with F and W, and the untrained one; each image is read once for both."""
    seen = {split: features(encoders, images, device) for split, images in splits.items()}
    subject, baseline = (_subject(one, seen["train"][i], seen["test"][i], splits) for i, one in enumerate(encoders))
    F, W = _matrices(run, recipe)
    return replace(subject, F=F, W=W), baseline


def _subject(encoder: Encoder, train: Features, test: Features, splits: dict[Split, Dataset]) -> Subject:
    origin = Origin(encoder, splits["train"], splits["test"], encoder.size, encoder.config)
    return Subject(train, test, splits["train"].classes, origin=origin)


def _matrices(run: Run, recipe: Recipe) -> tuple[Tensor | None, Tensor | None]:
    """F at the end of training, centred if the recipe says so, and W where the predictor is one matrix."""
    path = run.path / checkpoint.FILE
    tensors = weights.read(path)[0] if path.exists() else {}
    F, m = tensors.get("moments.second"), tensors.get("moments.first")
    if F is not None and m is not None and recipe.moments.zero_mean:
        F = F - torch.outer(m, m)
    return F, _weight(recipe, tensors)


def _weight(recipe: Recipe, tensors: dict[str, Tensor]) -> Tensor | None:
    """W of the predictor in a checkpoint, however it stores it; None where it is no matrix, or there is no checkpoint.

    A recipe of an older or newer version may build a predictor that these tensors are not of: no W then, either.
    """
    state = {name.removeprefix(OF): tensor for name, tensor in tensors.items() if name.startswith(OF)}
    if not state:
        return None
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        module = catalogue.load("predictors", recipe.predictor.name)
        predictor = module.build(recipe.predictor, recipe.network.projector.out, own)
        try:
            predictor.load_state_dict(state)
        except RuntimeError:
            return None
        W: Tensor | None = predictor.matrix
        return W
