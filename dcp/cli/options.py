"""Options that several commands have."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from dcp.cli import completion

Recipe = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE", help="A recipe file, or the name of one that ships.", autocompletion=completion.recipes
    ),
]
Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="The same as --set.", autocompletion=completion.settings),
]
RunNames = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN...",
        help="Run folders, or names of runs (all their seeds).",
        autocompletion=completion.run_names,
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a key; repeatable. VALUE is TOML.",
        autocompletion=completion.settings,
    ),
]
RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run folder, or a name: without a seed the first there is.",
        autocompletion=completion.run_name,
    ),
]
Runs = Annotated[
    Path,
    typer.Option("--runs", metavar="DIR", help="The folder of run folders.", autocompletion=completion.folders),
]
Device = Annotated[
    str,
    typer.Option(
        "--device", help="auto, cpu, cuda or mps.", autocompletion=completion.one_of("auto", "cpu", "cuda", "mps")
    ),
]
Figures = Annotated[
    str | None,
    typer.Option(
        "--figures",
        metavar="FORMAT",
        help="Also write each chart as a file: pdf, svg or png.",
        autocompletion=completion.one_of("pdf", "svg", "png"),
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print results and errors only.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on the last line.")]


Share = Annotated[
    str | None,
    typer.Option(
        "--share",
        metavar="I/N",
        help="Of a study only each run k with k mod N = I; auto: as the job says.",
        autocompletion=completion.one_of("auto"),
    ),
]
Submit = Annotated[
    str | None,
    typer.Option(
        "--submit",
        metavar="slurm",
        help="Submit a study as --share N jobs; sbatch's options after --.",
        autocompletion=completion.one_of("slurm"),
    ),
]


class Format(str, Enum):
    """How a table of results is written."""

    table = "table"
    markdown = "markdown"
    latex = "latex"
    csv = "csv"


As = Annotated[Format, typer.Option("--format", help="The table of arms, as this; all but table print only that.")]
