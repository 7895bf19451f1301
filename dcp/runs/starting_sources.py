"""Sources of starting weights: what lies at a path, or in a run of this name."""

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from dcp.errors import NotFetched, RequestError, expanded_path, printable, shortened
from dcp.method import weights
from dcp.runs import lookup
from dcp.runs.json_files import read_json
from dcp.runs.run import Run

KEY = "network.weights"
ENCODER, EXPORTED = "encoder.safetensors", "model.safetensors"
KINDS = "a run, an exported folder (config.json and model.safetensors), a .safetensors file, timm or torchvision"


@dataclass(frozen=True)
class Source:
    """What lies at a source."""

    tensors: Mapping[str, Tensor]
    header: Mapping[str, str]
    source: str  # a whole path, or the library's name for them
    kind: str  # "run", "folder", "file", "timm" or "torchvision"
    licence: str = ""
    origin: str = ""  # of a library: where it has them from
    left_out: tuple[str, ...] = ()
    mean_std: Any = None


def located(word: str, runs: Path, seed: int) -> tuple[Path, tuple[str, ...]]:
    """The path that is meant, or else the run of this name; and what a person is told of the choice.

    Args:
        word: a path from here, or the name of a run; without its seed it means that of the training's own seed, or the
            only one there is.
        runs: the folder of run folders.
        seed: of the training.

    Raises:
        RequestError: "no-weights", there is neither, or a name means several runs.
    """
    path = expanded_path(word, slug="no-weights", where=KEY)
    if not os.path.exists(path):  # noqa: PTH110 - unlike Path's, never raises
        return _named(word, runs, seed).absolute(), ()
    if path.name == word:
        with contextlib.suppress(RequestError):
            if (run := _named(word, runs, seed)).resolve() != path.resolve():
                return path.absolute(), (f'"{word}" is a path here, which is taken, and a run: {run} means the run',)
    return path.absolute(), ()


def read(path: Path) -> Source:
    """The weights that lie at a path: a run's encoder, those of an exported folder, or a file.

    Raises:
        RequestError: "no-weights", there are none; "bad-checkpoint", they are damaged.
    """
    if path.is_dir():
        return _of_run(path) if lookup.is_run(path) else _of_folder(path)
    if path.suffix != ".safetensors":
        hint = "Only .safetensors files are read, as others may start a program when they are loaded."
        hint += " docs/weights.md says how to convert one that you trust."
        raise RequestError(f"{shortened(path)} is no .safetensors file", slug="no-weights", where=KEY, hint=hint)
    tensors, header = _tensors(path)
    return Source(tensors, header, str(path), "file", header.get("licence", header.get("start_licence", "")))


def _named(word: str, runs: Path, seed: int) -> Path:
    try:
        found = [path for path in lookup.matches(word, runs) if lookup.is_run(path)]
    except (RequestError, ValueError) as error:
        where, hint = (error.where, error.hint) if isinstance(error, RequestError) else (str(runs), "")
        what = f'there are no weights "{printable(shortened(word))}": no such path, and no such run in {where}'
        hint = f"{hint}\nIt may be {KINDS}.".lstrip()
        raise RequestError(what, slug="no-weights", where=KEY, hint=hint) from None
    same = [path for path in found if lookup.seed_of(path.name) == seed]
    if len(found) == 1 or len(same) == 1:
        return found[0] if len(found) == 1 else same[0]
    what, hint = f'"{printable(word)}" is no run', f"It may be {KINDS}."
    if found:
        what = f'"{printable(word)}" means {len(found)} runs, and not one of them has seed {seed}, as this training'
        hint = f"name one: {lookup.first([str(path) for path in found])}"
    raise RequestError(what, slug="no-weights", where=KEY, hint=hint)


def _of_run(path: Path) -> Source:
    run = Run.open(path)
    if not (run.path / ENCODER).is_file():
        hint = f"finish it: dcp pretrain {path / 'recipe.toml'} --runs {path.parent} --resume"
        what = f"this run has no encoder to start from; its status is {run.status}"
        raise RequestError(what, slug="no-weights", where=f"{KEY}; {path}", hint=hint)
    tensors, header = _tensors(run.path / ENCODER)
    licence = run.record.weights.get("licence", "")
    return Source(tensors, header, str(path), "run", str(licence))


def _of_folder(folder: Path) -> Source:
    """An exported folder: the tensors of model.safetensors, and what config.json says of their licence."""
    if not (folder / EXPORTED).is_file():
        inside = lookup.runs_in(folder)
        hint = f"it holds runs: {lookup.first([str(run) for run in inside])}" if inside else f"it may be {KINDS}"
        what = "this folder is no run, and has no model.safetensors"
        raise RequestError(what, slug="no-weights", where=f"{KEY}; {shortened(folder)}", hint=hint)
    tensors, header = _tensors(folder / EXPORTED)
    config = read_json(folder / "config.json") if (folder / "config.json").is_file() else {}
    details = config.get("pretrained_cfg", config)
    licence = details.get("license") if isinstance(details, dict) else None
    if licence in (None, "", "unknown"):  # of weights that dcp has exported: that of those they were made from
        licence = header.get("start_licence") or licence
    return Source(tensors, header, str(folder), "folder", str(licence or ""))


def _tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        return weights.read(path)
    except NotFetched:
        raise
    except RequestError as error:
        hint = "Copy it again, or give other weights."
        raise RequestError(error.message, slug="bad-checkpoint", where=f"{KEY}; {path}", hint=hint) from None
