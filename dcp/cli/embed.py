"""`dcp embed`: features of images to a file."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dcp.cli import completion, options

if TYPE_CHECKING:
    from dcp.cli.progress import Watcher


def embed(
    run: options.RunName,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A folder of images, a data set (cifar10, ...), a text file of paths, or - for paths on stdin.",
            autocompletion=completion.images,
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="features.npy, features.safetensors or features.parquet.")
    ],
    split: Annotated[
        str | None,
        typer.Option(
            "--split",
            metavar="SPLIT",
            help="train, test or pretrain, where SOURCE has these.",
            autocompletion=completion.one_of("train", "test", "pretrain"),
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A key of [data], data.root=DIR; repeatable.",
            autocompletion=completion.data_settings,
        ),
    ] = None,
    batch: Annotated[int, typer.Option("--batch", metavar="N", help="Images at a time.")] = 256,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", help="Processes that decode; default: one a spare core.")
    ] = None,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave out images that cannot be decoded, and name them.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE, if it is there.")] = False,
    runs: options.Runs = Path("runs"),
    device: options.Device = "auto",
    quiet: options.Quiet = False,
    json_: options.Json = False,
) -> None:
    """Write the features of images, in their order, with paths and labels; interrupted, the same command goes on."""
    from rich.console import Console

    from dcp.cli.lines import tell
    from dcp.cli.progress import Watcher
    from dcp.exporting.feature_files.base import check_out
    from dcp.report.page import count, listed
    from dcp.runs.run import open_or_find

    check_out(out, overwrite=overwrite)
    opened, console = open_or_find(run, runs), Console()
    with Watcher(console, quiet=quiet) as watcher:
        watcher.doing("loading PyTorch")  # what is imported below takes seconds
        from dcp.exporting import embed as embedding
        from dcp.exporting import features
        from dcp.exporting import source as sources
        from dcp.hardware.device import choose_device
        from dcp.hardware.malloc import keep_freed_memory

        how = features.How(batch, device, workers, skip_broken)
        if choose_device(device) == "cpu":
            keep_freed_memory()
        watcher.doing("listing the images")
        images = sources.images(opened, source, split=split, sets=tuple(set_ or ()))
        watcher.say(f"{opened.path.resolve().name}: {count(len(images), 'image')}, {images.shown}")
        result = embedding.to_file(
            opened,
            images,
            out,
            how,
            overwrite=overwrite,
            watch=Pace(watcher, f"embedding {count(len(images), 'image')}"),
        )
    rows, dim = result.rows, result.dim
    left_out, speed = result.left_out, result.images_per_s
    if not quiet:
        if result.resumed:
            tell(console, f"{count(result.resumed, 'image')} had been done before")
        size = f"{sum(path.stat().st_size for path in result.files) / 1e6:,.1f} MB"
        pace = f", {speed:,.0f} images/s" if speed is not None else ""
        tell(console, f"{rows:,} x {dim:,} features, {size}{pace}")
    if left_out:
        named = listed([path for path, _ in left_out[: embedding.SHOWN]])
        more = "" if len(left_out) <= embedding.SHOWN else f" and {len(left_out) - embedding.SHOWN:,} more"
        cannot = "cannot be read, and is left out" if len(left_out) == 1 else "cannot be read, and are left out"
        tell(console, f"{count(len(left_out), 'image')} {cannot}: {named}{more}")
    if not quiet:
        tell(console, f"Written: {', '.join(map(str, reversed(result.files)))}")
    if json_:
        found = {
            "run": str(opened.path),
            "out": str(out),
            "images": len(images),
            "rows": rows,
            "features": dim,
            "left_out": left_out,
        }
        print(json.dumps({**found, "files": list(map(str, result.files)), "images_per_s": speed}))


class Pace:
    """Shows how far it is, how fast, and when it will be done.

    Args:
        watcher: that shows it.
        text: what goes on.
    """

    def __init__(self, watcher: "Watcher", text: str) -> None:
        self.watcher, self.text, self.first, self.started = watcher, text, -1, 0.0

    def __call__(self, done: int, total: int) -> None:
        """So many images are done; those of the first call were there before."""
        from dcp.cli.progress import duration

        now, pace = time.monotonic(), ""
        if self.first < 0:
            self.first, self.started = done, now
        elif done > self.first and now > self.started:
            speed = (done - self.first) / (now - self.started)
            pace = f"{speed:,.0f} images/s, {duration((total - done) / speed)} left"
        self.watcher.doing(self.text, done / max(1, total), pace)
