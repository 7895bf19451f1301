"""What is wrong with a command line, said as everything else is: slug, place, and what would be right."""

import re
import sys
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from dcp.cli.exit_codes import guarded
from dcp.errors import DONE, RequestError, near_names, squeezed
from dcp.recipe import other_names, shipped

UsageError: Any = typer.BadParameter.__base__  # of click, which typer has brought with it since 0.26
TAKE_KEYS = ("dcp pretrain", "dcp recipes check")
OPTIONS = {  # an option of other libraries' commands -> what to write here
    **dict.fromkeys(("output", "outputdir", "outdir", "savedir", "logdir", "workdir", "exproot"), "--runs DIR"),
    **dict.fromkeys(("gpus", "ngpus", "nproc", "nprocpernode", "numprocesses", "worldsize"), "--processes N"),
    **dict.fromkeys(("resumefrom", "ckpt", "ckptpath", "checkpoint", "resumefromcheckpoint"), "--resume"),
    **dict.fromkeys(("gpu", "cuda"), "--device cuda"),
    **dict.fromkeys(("config", "cfg", "configfile", "configname"), "the recipe, the first word after the command"),
}
COMMANDS = {
    **dict.fromkeys(("train", "fit", "run", "main", "mainpretrain", "study"), "pretrain"),
    **dict.fromkeys(("eval", "evaluate", "test", "linear", "mainlinear", "knn", "report"), "probe"),
    **dict.fromkeys(("list", "recipe", "ls", "show", "copy"), "recipes"),
}


class Command(TyperCommand):
    """A command, which takes no empty word: `--out "$NOT_SET"` would mean the current folder."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of the command line.

        Raises:
            UsageError: one is empty, or as click.
        """
        if not ctx.resilient_parsing:
            given, _, _ = self.make_parser(ctx).parse_args(list(args))
            param: Any  # click types less of it than there is
            for param in self.params:
                value = given.get(param.name)
                if value == "" or (isinstance(value, (list, tuple)) and "" in value):
                    name = param.opts[0] if param.opts[0].startswith("-") else str(param.metavar or param.name)
                    raise UsageError(f"The value of {name} is empty", ctx)
        return super().parse_args(ctx, args)


class Commands(TyperGroup):
    """The commands; what click finds wrong with a command line is told as dcp tells everything."""

    def main(self, *arguments: Any, **options: Any) -> NoReturn:
        """Run one command, and exit."""
        try:
            code = super().main(*arguments, **{**options, "standalone_mode": False})
        except UsageError as error:
            if type(error).__name__ == "NoArgsIsHelpError":  # `dcp` alone: the help, which is no message
                error.show()
                sys.exit(error.exit_code)
            code = guarded(partial(refuse, error))
        sys.exit(code if isinstance(code, int) else DONE)


def refuse(error: Any) -> NoReturn:
    """Raise what click has found, in our words.

    Raises:
        RequestError: "bad-option".
    """
    context = error.ctx
    command, params = ("dcp", []) if context is None else (context.command_path, context.command.params)
    said = " ".join(error.format_message().split()).replace("Input should", "it should")
    what, hint = f"{said[:1].lower()}{said[1:]}".rstrip("."), ""
    if said.startswith("No such option") and (unknown := str(getattr(error, "option_name", ""))):
        options = [name for param in params for name in param.opts if name.startswith("-")]
        what, hint = f"there is no option {unknown}", _of_option(unknown, command, options)
    elif match := re.match(r"No such command ['\"](.*?)['\"]", said):
        known = list(getattr(context.command, "commands", ()))
        what, hint = f'there is no command "{match[1]}"', _of_command(match[1], known)
    elif match := re.match(r"Missing \w+ ['\"](.*?)['\"]", said):
        what, hint = f"{match[1]} is missing", f"{command} {match[1]}"
    hint = f"{hint}\n`{command} --help` says what it takes".strip()
    raise RequestError(what, slug="bad-option", where=command, hint=hint)


def _of_option(unknown: str, command: str, options: list[str]) -> str:
    """What may be meant by an option that is none: a key of the recipe, or an option of another name."""
    if ours := OPTIONS.get(squeezed(unknown)):
        return f"here that is {ours}"
    if command in TAKE_KEYS and (key := other_names.key(unknown) or _key(squeezed(unknown))):
        sets = "" if command == "dcp pretrain" else "--set "
        return f"it is a key of the recipe: {command} RECIPE {sets}{key}=VALUE"
    meant = near_names(unknown, options, 1)
    return f"did you mean {meant[0]}?" if meant else f"there are {', '.join(options)}"


def _key(name: str) -> str:
    """The first key of a recipe that is called so, or ""."""
    from dcp.recipe import schema
    from dcp.recipe.recipe import Recipe

    keys = (f"{table.path}.{key}" for table in schema.tables(Recipe) for key in table.keys if squeezed(key) == name)
    return next((key for key in keys if key.count(".") > 0), "")


def _of_command(unknown: str, commands: list[str]) -> str:
    """What may be meant by a command that is none."""
    if shipped.named(unknown) or Path(unknown).suffix == ".toml":
        return f"this is a recipe: dcp pretrain {unknown}"
    theirs = COMMANDS.get(squeezed(unknown), "")
    meant = [theirs] if theirs in commands else near_names(unknown, commands, 1)
    return f"did you mean {meant[0]}?" if meant else f"there are {', '.join(commands)}"
