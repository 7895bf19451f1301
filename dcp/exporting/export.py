"""The encoder of a run for other libraries: a folder with its weights, its configuration and a model card."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from dcp import catalogue
from dcp.errors import RequestError, near_names
from dcp.exporting import extras, hub
from dcp.exporting.card import card
from dcp.exporting.formats.base import KIND, Exported, Subject
from dcp.runs.disk import create_folder, occupied
from dcp.runs.run import Run


@dataclass(frozen=True)
class Result:
    """What was written."""

    folder: Path
    files: tuple[str, ...]
    exported: Exported
    url: str = ""  # where it was pushed to


def check(to: str, out: Path, push: str | None) -> Any:
    """The module of a format, once it is sure that it can be tried.

    Raises:
        RequestError: "unknown-name", "missing-package", "file-exists", "bad-folder"; as `hub.check`.
    """
    known = catalogue.names(KIND)
    if to not in known:
        close = near_names(to, known, 1)
        hint = f"known: {', '.join(known)}" + (f". Did you mean {close[0]}?" if close else "")
        raise RequestError(f'there is no format "{to}"', slug="unknown-name", where="--to", hint=hint)
    if occupied(out):
        raise _there(out)
    if push is not None:
        hub.check(push)
    module = catalogue.load(KIND, to)
    extras.check(*module.PACKAGES, extra=module.EXTRA, what=f"--to {to}")
    return module


def export(run: Run, to: str, out: Path, *, push: str | None = None) -> Result:
    """Write the folder `out`, complete or not at all; and push it, if asked to.

    Args:
        run: with an encoder.
        to: a format, a file of `formats/`.
        out: must be missing or empty.
        push: a repository on the Hub, USER/NAME.

    Raises:
        RequestError: as `check`; "cannot-export", "no-encoder".
        RunError: "export-differs", "disk-full", "cannot-write", "push-failed".
    """
    module = check(to, out, push)
    subject = Subject.of(run)
    exported: Exported = module.write(subject)
    files = {
        **exported.files,
        "README.md": card(subject, exported, module.LIBRARY, code(exported.load, out, push)).encode(),
        "recipe.toml": tomli_w.dumps(subject.recipe_for_others()).encode(),
    }
    try:
        create_folder(out, files)
    except FileExistsError:
        raise _there(out) from None
    url = hub.push(out, push) if push is not None else ""
    return Result(out, tuple(files), exported, url)


def _there(out: Path) -> RequestError:
    what = "this is there already, and is no empty folder"
    hint = "Give another folder: dcp never overwrites one."
    return RequestError(what, slug="file-exists", where=str(out), hint=hint)


def code(load: str, out: Path, push: str | None) -> str:
    """Python that loads what lies in the folder `out`, or in the repository that it is pushed to.

    >>> code('load("local-dir:DIR")', Path("encoder"), None)
    'load("local-dir:encoder")'
    >>> print(code('load("DIR/a.bin")', Path("encoder"), "ada/net"))
    from huggingface_hub import hf_hub_download
    load(hf_hub_download("ada/net", "a.bin"))
    """
    if push is None:
        return load.replace("DIR", json.dumps(str(out), ensure_ascii=False)[1:-1])
    text = load.replace("local-dir:DIR", f"hf-hub:{push}")
    fetched = re.sub(r'"DIR/([\w.]+)"', rf'hf_hub_download("{push}", "\1")', text)
    return fetched if fetched == text else f"from huggingface_hub import hf_hub_download\n{fetched}"
