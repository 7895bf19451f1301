"""`dcp export`: the encoder of a run for other libraries."""

import json
from pathlib import Path
from typing import Annotated

import typer

from dcp.cli import completion, options


def export(
    run: options.RunName,
    to: Annotated[
        str,
        typer.Option("--to", metavar="FORMAT", help="timm, torchvision or onnx.", autocompletion=completion.exports),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", help="The folder that is made.", autocompletion=completion.folders),
    ],
    push: Annotated[
        str | None, typer.Option("--push", metavar="USER/NAME", help="Also upload it to the Hugging Face Hub.")
    ] = None,
    runs: options.Runs = Path("runs"),
    quiet: options.Quiet = False,
    json_: options.Json = False,
) -> None:
    """Write the trained encoder as a folder that other libraries load, with a model card."""
    from rich.console import Console

    from dcp.cli.lines import tell, written
    from dcp.cli.progress import Watcher
    from dcp.runs.run import open_or_find

    opened, console = open_or_find(run, runs), Console()
    with Watcher(console, quiet=quiet) as watcher:
        watcher.doing("loading PyTorch")  # what is imported below takes seconds
        from dcp.exporting import export as exporting

        watcher.doing(f"exporting {opened.path.resolve().name}")
        result = exporting.export(opened, to, out, push=push)
    if not quiet:
        for limit in result.exported.limits:
            tell(console, limit)
        if result.url:
            tell(console, f"Pushed: {result.url}")
        written(console, out, result.files)
    if json_:
        print(
            json.dumps({"run": str(opened.path), "to": to, "out": str(out), "files": result.files, "url": result.url})
        )
