"""Options that several commands have."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

Recipe = Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe file, or the name of one that ships.")]
Words = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="The same as --set.")]
RunNames = Annotated[
    list[str], typer.Argument(metavar="RUN...", help="Run folders, or names of runs (all their seeds).")
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key; repeatable. VALUE is TOML."),
]
Runs = Annotated[Path, typer.Option("--runs", metavar="DIR", help="The folder of run folders.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")]
Figures = Annotated[
    str | None,
    typer.Option("--figures", metavar="FORMAT", help="Also write each chart as a file: pdf, svg or png."),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print results and errors only.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on the last line.")]


class Format(str, Enum):
    """How a table of results is written."""

    table = "table"
    markdown = "markdown"
    latex = "latex"
    csv = "csv"


As = Annotated[Format, typer.Option("--format", help="The table of arms, as this; all but table print only that.")]
