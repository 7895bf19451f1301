"""Start: the weights that a training begins with instead of random ones, and their copy in the run folder.

`network.weights` is, in this order: "timm" or "torchvision"; a path that exists (a run folder, a folder with
model.safetensors, a .safetensors file), from where the command runs; the name of a run. What was found there is copied
into the run folder together with its recipe, in one move. From then on the copy is the start: resuming and probing do
not look at the source again.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dcp.errors import RequestError, shortened
from dcp.method import weights
from dcp.recipe import build
from dcp.recipe.recipe import Recipe
from dcp.runs import checkpoint, lookup, starting_sources
from dcp.runs.run import Run
from dcp.runs.starting_sources import KEY, Source

FILE = weights.NOT_REMADE
DECIDING = ("backbone", "stem", "width", "norm")  # keys of [network] that make the backbone what it is


@dataclass(frozen=True)
class Start:
    """Weights that fit the backbone of a recipe."""

    tensors: Mapping[str, Tensor]
    header: Mapping[str, str]  # of the copy
    facts: Mapping[str, Any]  # as run.json has them: source, kind, name, licence, left_out, sha256
    remarks: tuple[str, ...] = ()  # what a person is told
    mean_std: Any = None  # of the channels of the images that they are of: [mean, deviation], or None for no statistics
    mean_std_known: bool = False  # whether their source says what these are

    def content(self) -> bytes:
        """The bytes of the copy in the run folder: of a run's encoder those of its file."""
        return weights.content(self.tensors, self.header)

    def remarks_beside(self, mean_std: Any) -> tuple[str, ...]:
        """`remarks`, and whether the images of the training are normalised in another way than theirs were.

        Args:
            mean_std: mean and deviation of the channels in the training, as `Views.statistics` has them.
        """
        if not self.mean_std_known or _plain(self.mean_std) == _plain(mean_std):
            return self.remarks
        theirs, own = _plain(self.mean_std), _plain(mean_std)
        return (*self.remarks, f"these weights are of images normalised by {theirs}, and here it is {own}")


def find(recipe: Recipe, runs: Path) -> Start | None:
    """The weights that a recipe names, fitted to its backbone; None where it names none.

    Args:
        recipe: a checked recipe.
        runs: the folder of run folders.

    Raises:
        RequestError: "no-weights", "weights-differ" or "bad-checkpoint".
    """
    word = recipe.network.weights
    if not word:
        return None
    choice: tuple[str, ...] = ()
    if word in weights.LIBRARIES:
        found = _library(recipe)
    else:
        path, choice = starting_sources.located(word, runs, recipe.run.seed)
        if not path.is_dir() and not os.path.isfile(path):  # noqa: PTH113 - unlike Path's, never raises
            # a pipe would be waited for without end
            what = f"{shortened(path)} is a pipe, a socket or a device"
            hint = f"It may be {starting_sources.KINDS}."
            raise RequestError(what, slug="no-weights", where=KEY, hint=hint)
        found = starting_sources.read(path)
    _check_keys(recipe, found)
    with torch.random.fork_rng(devices=[]):
        wanted = build.branch(recipe).backbone.state_dict()
    try:
        tensors, left_out = weights.fitted(found.tensors, wanted)
    except RequestError as error:
        error.where = f"{KEY}; {shortened(found.source)}"
        if error.slug == "weights-differ" and "recipe" not in found.header:
            n = recipe.network
            error.hint += f"\nhere: network.backbone = {n.backbone}, stem = {n.stem}, width = {n.width}"
            error.hint += f", norm = {n.norm}, views of {recipe.data.view_size} pixels"
        raise
    left_out = [*found.left_out, *left_out]
    header = dict(found.header) if "recipe" in found.header and not left_out else _header(recipe, found)
    start = Start(tensors, header, {})
    facts = {
        "source": found.source,
        "kind": found.kind,
        "origin": found.origin or found.source,
        "licence": found.licence or "not stated",
        "left_out": left_out,
        "sha256": hashlib.sha256(start.content()).hexdigest(),
    }
    return Start(tensors, header, facts, (*_remarks(found, left_out), *choice), *_mean_std(found))


def place(recipe: Recipe, runs: Path) -> str:
    """Where the weights are that a recipe names: a whole path, or the name of the library; "" for random ones.

    Raises:
        RequestError: "no-weights".
    """
    word = recipe.network.weights
    return word if word in ("", *weights.LIBRARIES) else str(starting_sources.located(word, runs, recipe.run.seed)[0])


def kept(run: Run, recipe: Recipe) -> dict[str, Tensor] | None:
    """The weights that a run began with, from its copy; None where they were random.

    Raises:
        RequestError: "bad-checkpoint", the copy is missing, damaged or another one.
    """
    if not recipe.network.weights:
        return None
    path = run.path / FILE
    found = checkpoint.read(path)
    if found is None:
        raise weights.unusable("the weights that this run began with are missing", path)
    noted = run.record.weights.get("sha256")
    if isinstance(noted, str) and hashlib.sha256(path.read_bytes()).hexdigest() != noted:
        raise weights.unusable("these are not the weights that this run began with", path)
    with torch.random.fork_rng(devices=[]):
        wanted = build.branch(recipe).backbone.state_dict()
    try:
        return weights.fitted(found[0], wanted)[0]
    except RequestError as error:
        raise weights.unusable(error.message, path) from None


def _library(recipe: Recipe) -> Source:
    from dcp.method import pretrained

    library = recipe.network.weights
    found = pretrained.load(library, recipe.network.backbone, recipe.data.view_size)
    return Source(found.tensors, {}, found.name, library, found.licence, found.origin, found.left_out, found.mean_std)


def _recipe_of(header: Mapping[str, str]) -> Mapping[str, Any]:
    """The recipe in the header of an encoder of dcp; {} where there is none."""
    try:
        table = json.loads(header.get("recipe", "{}"))
    except ValueError:
        return {}
    return table if isinstance(table, dict) else {}


def _check_keys(recipe: Recipe, found: Source) -> None:
    """Refuse weights of another network than the recipe's, also where all shapes are the same."""
    network, own = _recipe_of(found.header).get("network", {}), recipe.network.model_dump()
    differ = [key for key in DECIDING if key in network and network[key] != own[key]]
    if not differ:
        return
    lines = [f"network.{key}: {network[key]} there, {own[key]} here" for key in differ]
    lines.append("Take over theirs: " + " ".join(f"network.{key}={network[key]}" for key in differ))
    what, where = "the weights are of another network", f"{KEY}; {shortened(found.source)}"
    raise RequestError(what, slug="weights-differ", where=where, hint="\n".join(lines))


def _header(recipe: Recipe, found: Source) -> dict[str, str]:
    """For the copy of weights that no run of dcp has made."""
    return {
        "format": "pt",
        "source": found.origin or Path(found.source).name,
        "licence": found.licence or "not stated",
        "backbone": recipe.network.backbone,
        "stem": recipe.network.stem,
        "image_size": str(recipe.data.view_size),
    }


def _remarks(found: Source, left_out: list[str]) -> list[str]:
    licence = f", licence {found.licence}" if found.licence else ""
    origin = f" ({found.origin})" if found.origin else ""
    said = [f"The backbone starts from {found.kind} {found.source}{origin}{licence}; the projector starts anew"]
    if left_out:
        said.append(f"left out, as they are of a classifier: {lookup.first(left_out)}")
    return said


def _mean_std(found: Source) -> tuple[Any, bool]:
    """How the images of some weights were normalised, and whether their source says so in a readable way."""
    if "mean_std" not in found.header:
        return found.mean_std, found.mean_std is not None
    try:
        theirs = json.loads(found.header["mean_std"])
        _plain(theirs)
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None, False
    return theirs, True


def _plain(mean_std: Any) -> str:
    """Mean and deviation as a remark has them."""
    if mean_std is None:
        return "nothing"
    return " and ".join(str([round(float(value), 4) for value in part]) for part in mean_std)
