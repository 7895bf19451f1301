"""The command line: parse, call one function, print, exit.

Commands import inside their bodies, so that help starts fast.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from dcp import __version__
from dcp.errors import DONE
from dcp.outcome import guarded

app = typer.Typer(
    name="dcp",
    help="Declarative recipes for non-contrastive self-supervised learning: BYOL, SimSiam, DirectPred, DirectCopy.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
recipes_app = typer.Typer(help="The recipes that ship with dcp.", invoke_without_command=True, rich_markup_mode=None)
app.add_typer(recipes_app, name="recipes")

RecipeArg = Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe file, or the name of one that ships.")]
WordsArg = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="The same as --set.")]
RunsArg = Annotated[
    list[str], typer.Argument(metavar="RUN...", help="Run folders, or names of runs (all their seeds).")
]
SetOpt = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key; repeatable. VALUE is TOML."),
]
RunsOpt = Annotated[Path, typer.Option("--runs", metavar="DIR", help="The folder of run folders.")]
DeviceOpt = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")]
QuietOpt = Annotated[bool, typer.Option("--quiet", help="Print results and errors only.")]
JsonOpt = Annotated[bool, typer.Option("--json", help="Print the result as JSON on the last line.")]


def main() -> NoReturn:
    """Run the command line and exit with the code of the contract."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    try:
        app(args=arguments, prog_name="dcp")
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else DONE
    return DONE


def _end(work: Callable[[], int | None]) -> NoReturn:
    """Do a command's work and leave with its exit code."""
    raise typer.Exit(guarded(work))


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"dcp {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """The options that come before a command."""


@app.command()
def pretrain(
    recipe: RecipeArg,
    words: WordsArg = None,
    set_: SetOpt = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", min=0, max=2**31 - 1, help="The seed, instead of run.seed.")
    ] = None,
    seeds: Annotated[str | None, typer.Option("--seeds", metavar="0-4", help="One run for each: 0-4 or 0,1,2.")] = None,
    runs: RunsOpt = Path("runs"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")] = False,
    device: DeviceOpt = "auto",
    processes: Annotated[
        int, typer.Option("--processes", metavar="N", min=1, help="Processes that train together.")
    ] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check all, measure a few steps, write nothing.")] = False,
    quiet: QuietOpt = False,
    json_: JsonOpt = False,
) -> None:
    """Train an encoder without labels and measure it: one run folder a seed.

    A recipe with a section [study] is many runs: each arm with each seed that is not done yet, then a comparison. The
    same command goes on where it was stopped.
    """
    from dcp.commands import pretrain as command

    sets = (*(set_ or ()), *(words or ()))
    _end(lambda: command.main(
        recipe, sets, seed=seed, seeds=seeds, runs=runs, resume=resume, device=device,
        processes=processes, dry_run=dry_run, quiet=quiet, as_json=json_,
    ))  # fmt: skip


@app.command()
def probe(
    runs_: RunsArg,
    evaluation: Annotated[
        list[str] | None,
        typer.Option("--evaluation", "-e", metavar="NAME", help="Which; repeatable. Without it those of the recipe."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="SOURCE", help="Other images: cifar100, ...; more keys by --set probe.data.*"),
    ] = None,
    set_: SetOpt = None,
    runs: RunsOpt = Path("runs"),
    device: DeviceOpt = "auto",
    html: Annotated[bool, typer.Option("--html", help="Also take pictures and write RUN/report.html.")] = False,
    quiet: QuietOpt = False,
    json_: JsonOpt = False,
) -> None:
    """Evaluate the frozen encoders of runs; writes into each run's probes/."""
    from dcp.commands import probe as command

    evaluations, sets = tuple(evaluation or ()), tuple(set_ or ())
    _end(lambda: command.main(
        runs_, evaluations, sets, data=data, runs=runs, device=device, quiet=quiet, as_json=json_, html=html,
    ))  # fmt: skip


@app.command()
def compare(
    runs_: RunsArg,
    runs: RunsOpt = Path("runs"),
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Also write comparison.html, .md and .json here."),
    ] = None,
    quiet: QuietOpt = False,
    json_: JsonOpt = False,
) -> None:
    """Compare runs, or groups of seeds: scores with intervals, what differs between the recipes, cost."""
    from dcp.commands import compare as command

    _end(lambda: command.main(runs_, runs=runs, out=out, quiet=quiet, as_json=json_))


@app.command()
def theory(
    recipe: RecipeArg,
    words: WordsArg = None,
    set_: SetOpt = None,
    runs: RunsOpt = Path("runs"),
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="The folder of the results; else DIR of --runs / name.")
    ] = None,
    quiet: QuietOpt = False,
    json_: JsonOpt = False,
) -> None:
    """The linear model of the papers: simulated beside its closed form, as table, CSV and HTML."""
    from dcp.commands import theory as command

    sets = (*(set_ or ()), *(words or ()))
    _end(lambda: command.main(recipe, sets, runs=runs, out=out, quiet=quiet, as_json=json_))


@recipes_app.callback()
def _recipes(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        recipes_list()


@recipes_app.command("list")
def recipes_list() -> None:
    """List the recipes that ship, one a line."""
    from dcp.commands import recipes as command

    _end(command.list_all)


@recipes_app.command("show")
def recipes_show(
    recipe: RecipeArg,
    full: Annotated[bool, typer.Option("--full", help="With every default written out.")] = False,
) -> None:
    """Print a recipe."""
    from dcp.commands import recipes as command

    _end(lambda: command.show(recipe, full=full))


@recipes_app.command("copy")
def recipes_copy(
    recipe: RecipeArg,
    to: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="Where to; here, under its own name, if left out."),
    ] = None,
) -> None:
    """Copy a recipe to a file of your own; an existing file is not overwritten."""
    from dcp.commands import recipes as command

    _end(lambda: command.copy(recipe, to))


@recipes_app.command("check")
def recipes_check(recipe: Annotated[list[str], typer.Argument(metavar="RECIPE...")], set_: SetOpt = None) -> None:
    """Check recipes and report everything that is wrong with them."""
    from dcp.commands import recipes as command

    _end(lambda: command.check(recipe, tuple(set_ or ())))


@recipes_app.command("schema")
def recipes_schema() -> None:
    """Print the JSON Schema of recipes, for editors."""
    from dcp.commands import recipes as command

    _end(command.schema)
