"""`dcp recipes`: the recipes that ship."""

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from dcp.cli import options
from dcp.cli.exit_codes import exits, guarded
from dcp.cli.usage import Command
from dcp.errors import RequestError
from dcp.recipe import layers, shipped
from dcp.recipe.toml import loads
from dcp.report.paragraphs import paragraph

if TYPE_CHECKING:
    from dcp.dynamics.simulate import Theory
    from dcp.recipe.recipe import Recipe
    from dcp.studies.study import Study

SCHEMA = "#:schema ./dcp.schema.json"  # for editors: where `dcp recipes schema > dcp.schema.json` puts it

recipes = typer.Typer(help="The recipes that ship with dcp.", invoke_without_command=True, rich_markup_mode=None)


All = Annotated[bool, typer.Option("--all", help="One a line, with those for tests, tiny/...")]


@recipes.callback()
def _without_a_command(context: typer.Context, all_: All = False) -> None:
    if context.invoked_subcommand is None:
        list_all(all_=all_)
    elif all_:
        raise typer.Exit(guarded(_misplaced))


def _misplaced() -> NoReturn:
    hint = "dcp recipes --all, or dcp recipes list --all"
    raise RequestError("--all stands behind its command", slug="bad-option", where="dcp recipes --all", hint=hint)


@recipes.command("list", cls=Command)
@exits
def list_all(all_: All = False) -> None:
    """List the recipes that ship: in groups that fit a screen, or with --all or in a pipe one a line."""
    names = [name for name in shipped.every() if all_ or not name.startswith(shipped.TINY)]
    if all_ or not sys.stdout.isatty():
        width = max(map(len, names))
        for name in sorted(names, key=lambda name: name.startswith((shipped.STUDIES, shipped.THEORY))):
            print(f"{name:{width}}  {_comment(name)}".rstrip())
        return
    for line in grouped(names, shutil.get_terminal_size().columns):
        print(line)


def grouped(names: list[str], width: int) -> Iterator[str]:
    """The names in groups, in lines of so many columns: what to start with, papers, catalogue, studies, theory."""
    alone = [name for name in names if "/" not in name]
    start = [name for name in alone if name.startswith(("quickstart", "shapes"))]
    parts = [name.partition("_") for name in alone if name not in start]
    of_several = {variant for _, _, variant in parts if sum(variant == other for _, _, other in parts) > 1}
    papers: dict[str, list[str]] = {}  # data sets by the variants that they have
    for data in dict.fromkeys(data for data, _, _ in parts):
        variants = " ".join(variant for other, _, variant in parts if other == data and variant in of_several)
        papers.setdefault(variants, []).append(data)
    yield "Start here: dcp pretrain NAME"
    for name in start:
        yield from paragraph(f"  {name}  {_comment(name)}", width)
    yield ""
    yield "Papers: DATA_VARIANT, as in cifar10_directcopy"
    for variants, sources in papers.items():
        if variants:
            yield from paragraph(f"  {', '.join(sources)}: {variants}", width)
    for title, head in (("Catalogue", "cifar10_"), ("Studies", shipped.STUDIES), ("Theory", shipped.THEORY)):
        inside = [name.removeprefix(head) for name in names if name.startswith(head)]
        command = "theory" if head == shipped.THEORY else "pretrain"
        yield ""
        yield f"{title}: dcp {command} {head}NAME"
        yield from paragraph(f"  {' '.join(name for name in inside if name not in of_several)}", width)
    yield ""
    yield from paragraph(
        "dcp recipes --all: one a line, also tiny ones; show NAME prints one, copy NAME copies it", width
    )


def _comment(name: str) -> str:
    """What the first line of a recipe says of it."""
    line = shipped.read(shipped.folder() / f"{name}.toml").partition("\n")[0]
    return line.removeprefix("#").strip() if line.startswith("#") else ""


@recipes.command(cls=Command)
@exits
def show(
    recipe: options.Recipe,
    full: Annotated[bool, typer.Option("--full", help="With every default written out.")] = False,
) -> None:
    """Print a recipe."""
    sys.stdout.write(_checked(recipe, ()).toml() if full else shipped.read(shipped.find(recipe)))


@recipes.command(cls=Command)
@exits
def copy(
    recipe: options.Recipe,
    to: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="Where to; here, under its own name, if left out."),
    ] = None,
) -> None:
    """Copy a recipe to a file of your own; an existing file is not overwritten."""
    source = shipped.find(recipe)
    text = _with_parents_in_full(shipped.read(source), source)
    if source.is_relative_to(shipped.folder()):
        text = f"{SCHEMA}\n{text}"
    target = _write_new(to or Path(source.name), source.name, text)
    command = "theory" if "theory" in layers.parse(target) else "pretrain"
    print(f"{target}: edit it, then run `dcp {command} {target}`")


@recipes.command(cls=Command)
@exits
def check(
    recipe: Annotated[list[str], typer.Argument(metavar="RECIPE...")],
    set_: options.Sets = None,
) -> None:
    """Check recipes and report everything that is wrong with them."""
    for each in recipe:
        size = getattr(_checked(each, tuple(set_ or ())), "size", "")  # of a study
        print(f"{each}: fine{f', {size}' if size else ''}")


@recipes.command(cls=Command)
@exits
def schema() -> None:
    """Print the JSON Schema of recipes, for editors."""
    from dcp.recipe.recipe import editor_schema

    print(json.dumps(editor_schema(), indent=2))


def _checked(recipe: str, sets: tuple[str, ...]) -> "Study | Theory | Recipe":
    """The recipe, checked, whatever kind it is."""
    from dcp.dynamics import simulate
    from dcp.recipe.recipe import Recipe
    from dcp.studies.study import is_study, read

    if is_study(recipe, sets):
        return read(recipe, sets).with_seeds(())  # which counts the runs
    return simulate.read(recipe, sets) if simulate.is_theory(recipe, sets) else Recipe.read(recipe, sets)


def _write_new(target: Path, name: str, text: str) -> Path:
    """The file that now holds `text`: `target`, or the one of this name in it if it is a folder."""
    hint = "give another name: dcp recipes copy NAME FILE"
    try:
        target = target / name if target.is_dir() else target
        if os.path.lexists(target):  # a link to nowhere, too: what is written through it lands anywhere
            raise RequestError("this file exists", slug="file-exists", where=str(target), hint=hint)
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        message = f"cannot write it: {error.strerror}"
        raise RequestError(message, slug="bad-file", where=str(target), hint=hint) from None
    return target


def _with_parents_in_full(text: str, source: Path) -> str:
    """The same, with parents that are named by their place beside `source` named so that they are found anywhere."""
    table = layers.parse(source)
    study = table.get("study")
    arms = study.get("arms") if isinstance(study, dict) else None
    bodies = [table, *(arms.values() if isinstance(arms, dict) else ())]
    ships = {(shipped.folder() / f"{name}.toml").resolve(): name for name in shipped.every()}
    full = {}
    for name in (body["extends"] for body in bodies if isinstance(body, dict) and "extends" in body):
        parent = layers.parent(source, name)
        full[name] = json.dumps(ships.get(parent, str(parent)), ensure_ascii=False)

    def in_full(match: re.Match[str]) -> str:
        return match[1] + full.get(loads(f"name = {match[2]}")["name"], match[2])

    return re.sub(r"""((?:^\s*|[{,]\s*)extends\s*=\s*)("[^"\n]*"|'[^'\n]*')""", in_full, text, flags=re.MULTILINE)
