"""Features of images as a frozen encoder gives them, in the order of the images: in memory, or written as they come.

A run of it that is ended by anything goes on where it was, and ends in the bytes of one that was not: batches are those
of the list, whatever was left out of them, and features are kept as they were made (`dcp.exporting.partial`).

Legend: N images, B of a batch, D features, S side of the encoder's images.
"""

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dcp.data.broken_files import Undecodable
from dcp.errors import RequestError, RunError
from dcp.exporting import identity, one_writer
from dcp.exporting.feature_files import base
from dcp.exporting.feature_files.base import Features
from dcp.exporting.features import How, parts, prepared
from dcp.exporting.finishing import finish, kept
from dcp.exporting.identity import Identity
from dcp.exporting.partial import Partial
from dcp.exporting.source import Images
from dcp.report.page import count
from dcp.runs import encoder
from dcp.runs.disk import make_folder
from dcp.runs.run import Run

SHOWN = 3  # files that a message names

Watch = Callable[[int, int], None]  # told how many images are done, of how many


@dataclass(frozen=True)
class Result:
    """What was made."""

    read: Callable[[], Features]  # into memory, where the file is compressed
    rows: int  # N
    dim: int  # D
    images: Images  # that were asked for
    broken: list[tuple[int, str]]  # numbers of those that were left out, and why
    images_per_s: float | None = None  # of this call; None where all were there already
    resumed: int = 0  # images that were there already
    files: tuple[Path, ...] = ()  # written

    @property
    def features(self) -> Features:
        """float32 [N, D]."""
        return self.read()

    @property
    def paths(self) -> list[str]:
        """Of the N images."""
        return [self.images.path(i) for i in kept(self.images, self.broken)]

    @property
    def left_out(self) -> list[tuple[str, str]]:
        """Paths of those that were left out, and why."""
        return [(self.images.path(i), why) for i, why in self.broken]


def in_memory(run: Run, images: Images, how: How, watch: Watch = lambda done, total: None) -> Result:
    """Features of all images, as an array.

    Raises:
        RequestError: no encoder in the run, or one that is not finite; a device or an option that is none, files that
            are not there; "no-images", none could be read.
        RunError: "broken-image", "reader-ended", "reader-stalled" or "bad-features".
    """
    network, dim = prepared(run, how)
    made, left_out, started, done = list[Features](), list[tuple[int, str]](), time.perf_counter(), 0
    with _told(images, lambda: done, ""):
        looked = _looked_at(images, how)
        for part in parts(run, network, images, how, 0, looked.gone):
            made.append(part.features)
            left_out += part.left_out
            done += part.images
            watch(done, len(images))
    _check_some(images, left_out)
    features = np.concatenate(made) if made else np.empty((0, dim), np.float32)
    speed = len(images) / (time.perf_counter() - started)
    return Result(lambda: features, len(features), dim, images, left_out, speed)


def to_file(
    run: Run,
    images: Images,
    out: Path,
    how: How,
    *,
    overwrite: bool = False,
    watch: Watch = lambda done, total: None,
) -> Result:
    """The same, written to `out` as its suffix says; goes on where an earlier call was interrupted.

    Args:
        run: with an encoder.
        images: in order.
        out: the file; `feature_files` has what is written beside it.
        how: batches, device, what becomes of broken images.
        overwrite: whether files of dcp's that are there are replaced, and what was begun with other settings is begun
            anew.
        watch: is told how many images are done.

    Raises:
        RequestError: as `in_memory`; "file-exists", "partial-differs", "file-busy".
        RunError: as `in_memory`; "disk-full", "cannot-write" or "lease-lost".
        KeyboardInterrupt: says how far it came, and how to go on.
    """
    base.check_out(out, overwrite=overwrite)
    network, dim = prepared(run, how)
    with _told(images, lambda: 0, ""):
        looked = _looked_at(images, how)
        contents = looked.contents()
    about: dict[str, Any] = {
        "run": run.path.resolve().name,
        "encoder": hashlib.sha256((run.path / encoder.FILE).read_bytes()).hexdigest()[:16],
        "images": looked.images,
        "of": len(images),
        **images.pixels,
        "features": dim,
        "batch": int(how.batch),
        "device": network.device.type,
        "torch": torch.__version__,
    }
    make_folder(out.parent)
    with one_writer.held(out) as verify:
        kind = base.check_out(out, overwrite=overwrite)  # by now another may have made it
        begun = {**about, "folder": images.folder, "contents": contents}
        with Partial(out, begun, verify=verify, anew=overwrite) as partial:
            resumed, started = partial.images, time.perf_counter()
            if partial.left_out and not how.skip_broken:
                raise RequestError(
                    f"what was begun leaves out {count(len(partial.left_out), 'image')}",
                    slug="partial-differs",
                    where=str(partial.folder),
                    hint=f"the first is {images.path(partial.left_out[0][0])}\nGo on with --skip-broken, or begin anew "
                    "with --overwrite.",
                )
            watch(resumed, len(images))
            with _told(images, lambda: partial.images, f", and kept in {partial.folder}; the same command goes on"):
                for part in parts(run, network, images, how, resumed, looked.gone):
                    partial.add(part)
                    watch(partial.images, len(images))
                took = time.perf_counter() - started
                if partial.left_out and not partial.rows:
                    partial.remove()  # nothing in it is worth going on from
                _check_some(images, partial.left_out)
                named = [[images.path(i), why] for i, why in partial.left_out]
                source = {"source": images.shown, "root": images.root, "left_out": named}
                files = finish(kind, out, partial, images, {**about, **source}, overwrite=overwrite)
            partial.remove()
        speed = (len(images) - resumed) / took if resumed < len(images) else None
        return Result(lambda: kind.read(out), partial.rows, dim, images, partial.left_out, speed, resumed, files)


def _looked_at(images: Images, how: How) -> Identity:
    """Which images there are; refuses those that are not there, unless they are to be left out.

    Raises:
        RequestError: "bad-source".
        RunError: "broken-image", a file could not be looked at, which leaves open whether it is there.
    """
    looked = identity.of(images.data)
    if how.skip_broken:
        looked.check_seen()
        return looked
    if missing := sorted({*looked.gone, *looked.unseen}):
        names = ", ".join(images.path(i) for i in missing[:SHOWN]) + (" ..." if len(missing) > SHOWN else "")
        verb = "is" if len(missing) == 1 else "are"
        what = f"{len(missing):,} of {count(len(images), 'file')} {verb} not there, or cannot be looked at: {names}"
        start = "the current folder" if images.root == "." else images.root
        relative = f"paths are relative to {start}\n" if start else ""
        hint = f"{relative}--skip-broken leaves out what cannot be read"
        raise RequestError(what, slug="bad-source", where=images.shown, hint=hint)
    return looked


def _check_some(images: Images, left_out: list[tuple[int, str]]) -> None:
    if left_out and len(left_out) == len(images):
        what = f"no images: of {len(images):,}, none can be read"
        hint = f"The first is {images.path(left_out[0][0])}: {left_out[0][1]}"
        raise RequestError(what, slug="no-images", where=images.shown, hint=hint)


@contextlib.contextmanager
def _told(images: Images, done: Callable[[], int], kept: str) -> Iterator[None]:
    """Have whatever ends the work say how far it came, and how it goes on."""
    try:
        yield
    except RunError as error:
        skip = "\n--skip-broken leaves out what cannot be read." if isinstance(error, Undecodable) else ""
        hint = f"{done():,} of {count(len(images), 'image')} {'is' if done() == 1 else 'are'} done{kept}.{skip}"
        if error.hint and "--resume" not in error.hint:  # which is for training: embed has no such option
            hint += f"\n{error.hint}"
        raise RunError(error.message, slug=error.slug, where=error.where, hint=hint) from error
    except KeyboardInterrupt:
        verb = "is" if done() == 1 else "are"
        raise KeyboardInterrupt(f"stopped; {done():,} of {count(len(images), 'image')} {verb} done{kept}") from None
