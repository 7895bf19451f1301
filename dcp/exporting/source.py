"""SOURCE of `dcp embed`: a folder of images, a data set by name, or a list of files; an order, names and labels.

    a folder            all images below it, at any depth, in the order of their paths; classes are its folders, where
                        there are two or more and no image lies beside them. With train/ and val/ in it: one --split
    a text file         a path a line, relative to the file's folder; without labels
    -                   the same on standard input, relative to the current folder; find -print0 does too
    cifar10, shapes     a data set that recipes know, one --split; the keys of [data] are those of the run, if that is
                        its source, and overrides. folder, shards and hf are such, too: of the run or with data.root

Grey values of more than 8 bits become bytes as they did in training.
"""

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import torch

from dcp import catalogue
from dcp.data import image_folders, image_names, split_folders
from dcp.data.broken_files import UNTRAINED
from dcp.data.datasets import base
from dcp.data.datasets._own_images import OwnImagesConfig
from dcp.data.datasets.base import Dataset, Split
from dcp.data.folders import Folder
from dcp.data.image_lists import Files, ImageList, top
from dcp.data.layout import RGB, Layout
from dcp.errors import RequestError, escaped, near_names, printable, shortened
from dcp.exporting import path_lists
from dcp.recipe import layers
from dcp.recipe.recipe import Recipe
from dcp.report.page import count
from dcp.runs import roots
from dcp.runs.run import Run

STDIN = "-"
FOLDER = "folder"  # the data set of image files of one's own
LAYOUT = ("range", "channels", "depth")  # keys that say what pixels are: of any images, those of the training
PLACES = {"root", "name"}  # keys that say where images of one's own are
SPLITS: tuple[Split, ...] = get_args(Split)
PACKED = {"hf": "the folder is what save_to_disk wrote", "shards": "the folder holds tar files"}
KINDS = "a folder of images, a data set (cifar10, shapes, ...), a text file of paths, or - for paths on standard input"


@dataclass(frozen=True, eq=False)
class Images:
    """The images of which features are wanted, in order."""

    data: Dataset
    shown: str  # what people call them
    prefix: str = ""  # of the names of images that are no files: "test/"
    place: str | None = None  # the folder in which a data set lies, if its recipe says so

    def __len__(self) -> int:
        return len(self.data)

    @property
    def root(self) -> str | None:
        """The folder that the paths of image files are relative to."""
        return printable(str(self.data.images.root)) if isinstance(self.data.images, Files) else None

    @property
    def folder(self) -> str | None:
        """Where they lie, from whatever folder a command is given."""
        root = str(self.data.images.root) if isinstance(self.data.images, Files) else self.place
        return None if root is None else printable(os.path.realpath(root))

    @property
    def pixels(self) -> dict[str, Any]:
        """What the values of the images mean, as JSON: channels, bits, and the values that become black and white."""
        held = self.data.images
        layout, grey = (held.layout, held.grey) if isinstance(held, ImageList) else (Layout(held.shape[1], 8), None)
        return {"channels": layout.channels, "depth": layout.bits, "range": "dtype" if grey is None else list(grey)}

    def path(self, i: int) -> str:
        r"""Of image `i`: below the root, with "/" between folders; of images in memory the split and the number.

        One line of UTF-8: a backslash is written twice, and what could not be shown as \xff, byte by byte.
        """
        if not isinstance(self.data.images, ImageList):
            return f"{self.prefix}{i}"
        text = escaped(self.data.images.name(i).replace(os.fsencode(os.sep), b"/"))
        if text.isprintable():
            return text
        return "".join(c if c.isprintable() else "".join(f"\\x{byte:02x}" for byte in c.encode()) for c in text)


def _means_data_set(text: str, sets: tuple[str, ...]) -> bool:
    """Whether a name of a data set is meant, though a folder or a file is called so: then its place is given."""
    return text in catalogue.names("datasets") and any(each.startswith("data.root=") for each in sets)


def images(run: Run, source: Any, *, split: str | None = None, sets: tuple[str, ...] = ()) -> Images:
    """The images that a person means.

    Args:
        run: whose encoder takes them: how deep grey values become bytes is the run's, and so are the keys of its data.
        source: as a person wrote it, or a list of paths.
        split: "train", "test" or "pretrain", of what has splits.
        sets: overrides of [data], "data.root=...".

    Raises:
        RequestError: "bad-source", "bad-option" (the split); as data sets and folders of images.
    """
    if split is not None and split not in SPLITS:
        what = f'there is no split "{split}"'
        raise RequestError(what, slug="bad-option", where="--split", hint=f"one of {', '.join(SPLITS)}")
    if isinstance(source, (list, tuple)):
        found = _listed(path_lists.in_python(source), Path(), count(len(source), "file"))
    elif not isinstance(source, (str, bytes, os.PathLike)):
        what = f"SOURCE is a path, a name or a list of paths, not {source!r:.100}"
        raise RequestError(what, slug="bad-source", where="source", hint=f"SOURCE is {KINDS}")
    elif (text := os.fsdecode(source)) == STDIN:
        found = _listed(path_lists.on_standard_input(), Path(), "the files on standard input")
    elif os.path.isdir(text) and not _means_data_set(text, sets):  # noqa: PTH112 - unlike Path's, it never raises
        return _of_run(run, _folder(text, split, sets, run), sets)
    elif os.path.lexists(text) and not _means_data_set(text, sets):
        found = _listed(path_lists.in_file(Path(text)), Path(text).parent, f"the files in {shortened(text)}")
    elif text in catalogue.names("datasets"):
        return _data_set(run, text, split, sets)
    else:
        close = near_names(text, catalogue.names("datasets"), 1)
        hint = f"did you mean {close[0]}?\n" if close else ""
        what = f'there is no folder, file or data set "{shortened(text)}"'
        raise RequestError(what, slug="bad-source", where="SOURCE", hint=f"{hint}SOURCE is {KINDS}")
    if split is not None:
        what = "a list of files has no splits"
        raise RequestError(what, slug="bad-option", where="--split", hint="leave --split out")
    return _of_run(run, found, sets)


def _listed(names: list[bytes], root: Path, shown: str) -> Images:
    if not names:
        raise RequestError("no images: the list is empty", slug="no-images", where=shown, hint="a path a line")
    if any(b"\0" in name for name in names):
        raise RequestError("a path holds a null byte", slug="bad-source", where=shown, hint="a path a line")
    files = replace(Files.listed(root, names), mending=UNTRAINED, shown="" if str(root) == "." else str(root))
    return Images(Dataset(files), shown)


def _folder(text: str, split: str | None, sets: tuple[str, ...], run: Run) -> Images:
    """The images below a folder; where all images lie in other files, the error says how these are read."""
    try:
        return _below(text, split, sets, run)
    except RequestError as error:
        if error.slug not in ("no-images", "bad-option") or (source := _packed(Folder(text))) is None:
            raise
        what, hint = PACKED[source], path_lists.command(source, text)
        raise RequestError(f"no images: {what}", slug="no-images", where=text, hint=hint) from None


def _packed(root: Folder) -> str | None:
    """The data set whose files hold the images below a folder without image files; None where there are no such."""
    with suppress(RequestError):
        if image_folders.holds_image(root):
            return None
        names = [name.lower() for name, _ in image_names.walk(root)]
        if any(name.endswith(b".arrow") for name in names) and any(name.endswith(b"state.json") for name in names):
            return "hf"
        if any(image_names.kind(name) in ("tar", "tgz") or b".tar." in name for name in names):
            return "shards"
    return None


def _below(text: str, split: str | None, sets: tuple[str, ...], run: Run) -> Images:
    config = _config(run, {"source": FOLDER, "root": str(Path(text).absolute())}, sets)
    root = Folder(text, arrays=config.layout != RGB)  # as in training
    try:
        found = split_folders.splits(root)
    except RequestError:  # who trains must know which images are for testing; here all are alike
        if split is not None:
            raise
        found = None
    if split is not None:
        if found is None:
            what = "this folder has no train/ with a val/ in it, and so no splits"
            raise RequestError(what, slug="bad-option", where=text, hint="leave --split out: all images are taken")
        loaded = base.load(config, split)  # type: ignore[arg-type]
        return Images(loaded, f"the {split} images of {shortened(text)}")
    if found is not None:
        one, other = found.train.name, found.test.name
        what = f"this folder has {one}/ and {other}/ in it"
        hint = f"--split train, or --split test; or all of one: {Path(text) / one}"
        raise RequestError(what, slug="bad-option", where=text, hint=hint)
    files = replace(image_folders.images(root), mending=UNTRAINED)
    folders = [top(files.name(i)) for i in range(len(files))]
    names = sorted(set(folders))
    if len(names) < 2 or b"" in names:
        return Images(Dataset(files), f"the images below {shortened(text)}")
    number = {name: k for k, name in enumerate(names)}
    labels = torch.tensor([number[name] for name in folders])
    return Images(Dataset(files, labels, tuple(map(escaped, names))), f"the images below {shortened(text)}")


def _of_run(run: Run, found: Images, sets: tuple[str, ...]) -> Images:
    """The same files, decoded as those that the run was trained on."""
    config = _config(run, {"source": FOLDER, "root": "."}, sets)
    files = found.data.images
    assert isinstance(files, Files)
    assert isinstance(config, OwnImagesConfig)
    grey = config.range if isinstance(config.range, tuple) else files.grey
    images = replace(files, grey=grey, layout=config.layout, skips=False)
    return replace(found, data=replace(found.data, images=images))


def _data_set(run: Run, name: str, split: str | None, sets: tuple[str, ...]) -> Images:
    if split is None:
        hint = "--split train, --split test, or --split pretrain: all that an encoder may see"
        raise RequestError(f"{name} has splits", slug="bad-option", where="--split", hint=hint)
    config = _config(run, {"source": name}, sets)
    data = base.load(config, split)  # type: ignore[arg-type]
    if isinstance(data.images, ImageList):
        data = replace(data, images=replace(data.images, skips=False))
    return Images(data, f"{name}, {split}", f"{split}/", config.root and os.path.expanduser(config.root))  # noqa: PTH111


def _config(run: Run, table: dict[str, Any], sets: tuple[str, ...]) -> base.DataConfig:
    """A checked section [data]: what the run says of the same source, `table` over it, and overrides over that."""
    keys = [override.partition("=")[0].strip() for override in sets]
    for key in keys:
        if not key.startswith("data.") or key == "data.source":
            hint = "embed takes data.*; SOURCE says which images"
            raise RequestError(f"{key} cannot be set here", slug="bad-override", where="--set", hint=hint)
        if key.split(".")[1] == "channels":
            hint = "leave it out: images have the channels that the encoder was trained on"
            raise RequestError(f"{key} cannot be set here", slug="bad-override", where="--set", hint=hint)
    recipe = run.recipe()
    recipe = roots.laid_over(recipe, roots.whole(recipe, run))
    theirs = recipe.get("data", {})
    kind = catalogue.load("datasets", table["source"]).Config
    known = kind.model_fields
    trained = theirs.get("channels", RGB.channels)
    if (channels := trained if "channels" in known else RGB.channels) != trained:
        what = f"the images of {table['source']} have {channels} channels, and those that the run was trained on"
        hint = "an encoder takes images of one number of channels"
        raise RequestError(f"{what} {trained}", slug="bad-combination", where="SOURCE", hint=hint)
    same = theirs.get("source") == table["source"]
    kept = {key: value for key, value in theirs.items() if key in known and (same or key in LAYOUT)}
    kept = {key: value for key, value in kept.items() if key not in ("limit", "broken", "image_size")}
    if issubclass(kind, OwnImagesConfig) and not PLACES & {*kept, *table, *(key.removeprefix("data.") for key in keys)}:
        hint = f"--set data.root=DIR{'; or give the folder itself as SOURCE' if table['source'] == FOLDER else ''}"
        what = f'"{table["source"]}" needs data.root: the run was not trained on such images'
        raise RequestError(what, slug="missing-key", where="SOURCE", hint=hint)
    whole = {"run": {"name": "embed"}, "data": {**kept, **table}, "predictor": {"name": "identity"}}
    whole["views"] = recipe.get("views", {})  # which fit the channels
    data = Recipe.check(layers.overridden(whole, sets), "--set" if sets else "recipe.toml").data
    if getattr(data, "range", None) == "measured" and theirs.get("range", "dtype") != "measured":
        what = 'nothing was measured when this run was trained: its data.range is not "measured"'
        hint = "leave it out, for the range of the training; or data.range=[low, high]"
        raise RequestError(what, slug="bad-override", where="--set", hint=hint)
    return base.settled(data, run.record.data.model_extra)
