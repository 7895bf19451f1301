"""Which images the probes of a run are of: those that stand together are of the same, and no others replace them."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dcp.data.datasets.base import DataConfig
from dcp.errors import RequestError
from dcp.runs.json_files import read_json
from dcp.runs.open_run import probes_in
from dcp.runs.run import Run

COMPARED = ("source", "train", "test")


def short_name(config: DataConfig) -> str:
    """A short name of a data set for file names: its source; of a folder of images the folder's name."""
    name = Path(config.root or "").name if config.source == "folder" else ""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or config.source


def check(run: Run, ending: str, images: Mapping[str, Any]) -> None:
    """Refuse probes of other images than the probes beside which they would stand.

    Args:
        run: whose probes they are.
        ending: of their names: "" for the run's own images, "@cifar100" for others.
        images: "source", the fingerprints of "train" and "test", and how many they are, "train_images" and so on.

    Raises:
        RequestError: "probe-differs", with both counts.
    """
    differing: dict[str, str] = {}  # name of a probe -> how many images it is of
    for path in probes_in(run.path / "probes"):
        if path.stem.partition("@")[1:] != ending.partition("@")[1:]:
            continue
        try:
            content = read_json(path)
        except RequestError:  # it cannot be read, and so is no loss
            continue
        there = content.get("data")
        if isinstance(there, dict) and any(there.get(key, images[key]) != images[key] for key in COMPARED):
            settings = content.get("settings")
            older = {"train_images": settings.get("train_images") if isinstance(settings, dict) else None}
            differing[path.stem] = _counts({**older, "test_images": content.get("n"), **there})
    if not differing:
        return
    one, names = len(differing) == 1, " and ".join(differing)
    counts = " or ".join(dict.fromkeys(differing.values()))
    what = f"{names} of this run {'is' if one else 'are'} of other images: {counts} there, {_counts(images)} here"
    files = [f"{name}.{kind}" for name in differing for kind in ("json", "safetensors")]
    files = [name for name in files if (run.path / "probes" / name).exists()]
    hint = f"To measure these images instead, delete {', '.join(files)} in {run.path / 'probes'}.\n{_beside(ending)}"
    raise RequestError(what, slug="probe-differs", where=str(run.path), hint=hint)


def check_trained(run: Run, images: Mapping[str, Any]) -> None:
    """Refuse to learn from other images than those that the encoder was trained on, where both are the same split.

    Raises:
        RequestError: "data-differ", with both counts.
    """
    data = run.record.data
    if data.fingerprint not in (None, images["train"]):
        counts = f"{_number(data.n)} images then, {_number(images['train_images'])} now"
        what = f"the images are not those that the run was trained with: {counts}"
        hint = f"Put them back as they were, or say where they are: --set data.root=DIR.\n{_beside('')}"
        raise RequestError(what, slug="data-differ", where=str(run.path), hint=hint)


def _beside(ending: str) -> str:
    """How these images can be measured without replacing what is there."""
    if ending:
        return "To keep both, give the folder another name, or make a link of another name to it."
    return "To measure these beside the run's own: --data folder --set probe.data.root=DIR, or another --data."


def _counts(images: Mapping[str, Any]) -> str:
    return " and ".join(f"{_number(images.get(f'{split}_images'))} {split} images" for split in ("train", "test"))


def _number(count: object) -> str:
    return f"{count:,}" if isinstance(count, int) else "?"
