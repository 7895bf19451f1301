"""The command line: which commands there are. Each is a file of this folder, and imports what is heavy inside."""

import gc
import os
import signal
import sys
from typing import Annotated, NoReturn

import typer

from dcp import __version__
from dcp.cli import launch
from dcp.cli.compare import compare
from dcp.cli.embed import embed
from dcp.cli.exit_codes import LAUNCHED, exits, report, stop
from dcp.cli.export import export
from dcp.cli.output import outputs
from dcp.cli.pretrain import pretrain
from dcp.cli.probe import probe
from dcp.cli.recipes import recipes
from dcp.cli.theory import theory
from dcp.cli.usage import Command, Commands
from dcp.errors import DONE, FAILED
from dcp.training.signals import SAVES, STOPS

app = typer.Typer(
    name="dcp",
    cls=Commands,
    help="Declarative recipes for non-contrastive self-supervised learning: BYOL, SimSiam, DirectPred, DirectCopy.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (pretrain, probe, compare, embed, export, theory):
    app.command(cls=Command)(exits(command))
app.add_typer(recipes, name="recipes")


def main() -> NoReturn:
    """Run the command line and exit with the code of the contract."""
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"} & os.environ.keys():
        os.environ["GOMP_SPINCOUNT"] = "10000"  # before torch is imported; why: dcp.hardware.threads
    if sys.stdin is None:  # or the first file that is opened gets its number, and what reads from it reads that
        os.open(os.devnull, os.O_RDONLY)
    if LAUNCHED in os.environ:
        launch.end_with_launcher()
    for name in STOPS:  # training has its own way; all else ends here
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is not signal.SIG_IGN:
            signal.signal(getattr(signal, name), stop)
    for name in SAVES:  # they ask a training for a checkpoint, and must not end what comes before and after it
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    code = run(sys.argv[1:])
    gc.freeze()  # or Python, before it ends, spends two seconds on looking through all of PyTorch for garbage
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    code = DONE
    with outputs() as out:
        try:
            app(args=arguments, prog_name="dcp")
        except SystemExit as error:
            code = FAILED
            if error.code is None or isinstance(error.code, int):
                code = error.code or DONE
            else:  # as Python itself does
                print(error.code, file=sys.stderr)
        out.flush()
        if code == DONE and out.lost is not None:
            code = report(out.lost)
    return code


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
