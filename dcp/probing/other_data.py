"""Probes on other images than the run's own: what their files are called, and that none replaces that of yet others."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from dcp.data.datasets.base import DataConfig
from dcp.errors import RequestError
from dcp.runs.json_files import read_json
from dcp.runs.run import Run

COMPARED = ("source", "test")  # other training images only change what the probe learned, and scores say so


def short_name(config: DataConfig) -> str:
    """A short name of a data set for file names: its source; of a folder of images the folder's name."""
    name = Path(config.root or "").name if config.source == "folder" else ""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or config.source


def check(run: Run, names: Sequence[str], data: Mapping[str, str]) -> None:
    """Refuse to replace probes `names` that are of other images, as those of /cats/images by those of /dogs/images.

    `data` has the "source", and the fingerprint of the "test" images, of the probes to be written.

    Raises:
        RequestError: "probe-differs".
    """
    differing = []
    for name in names:
        try:
            existing = read_json(run.path / "probes" / f"{name}.json").get("data")
        except RequestError:  # there is none, or one that cannot be read and so is no loss
            continue
        if isinstance(existing, dict) and any(existing.get(key, data[key]) != data[key] for key in COMPARED):
            differing.append(name)
    if not differing:
        return
    files = ", ".join(f"{name}.{ending}" for name in differing for ending in ("json", "safetensors"))
    hint = f"To measure these images instead, delete {files} in {run.path / 'probes'}."
    if data["source"] == "folder":
        hint += "\nTo keep both, give the folder another name, or make a link of another name to it."
    what = f"{' and '.join(differing)} of this run {'is' if len(differing) == 1 else 'are'} of other images"
    raise RequestError(what, slug="probe-differs", where=str(run.path), hint=hint)
