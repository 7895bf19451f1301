"""`dcp recipes`: the recipes that ship."""

import json
import os
import re
import sys
from pathlib import Path

from dcp import shipped, tables
from dcp.errors import RequestError


def list_all() -> None:
    """One recipe a line, with the first sentence of its comment."""
    width = max(len(name) for name in shipped.names())
    for name in shipped.names():
        print(f"{name:{width}}  {_says(shipped.folder() / f'{name}.toml')}")


def _says(path: Path) -> str:
    first = shipped.read(path).partition("\n")[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""


def show(recipe: str, *, full: bool) -> None:
    """The recipe as it stands in its file, or with every default."""
    if full:
        from dcp.recipe import Recipe

        sys.stdout.write(Recipe.read(recipe).toml())
    else:
        sys.stdout.write(shipped.read(shipped.find(recipe)))


def copy(recipe: str, to: Path | None) -> None:
    """An editable copy, comments and all; one that extends another recipe still finds it, wherever it lies."""
    source = shipped.find(recipe)
    text = _with_parent_in_full(shipped.read(source), source)
    target = _write_new(to or Path(source.name), source.name, text)
    print(f"{target}: edit it, then run `dcp pretrain {target}`")


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


def _with_parent_in_full(text: str, source: Path) -> str:
    """The same, with a parent that is named by its place beside `source` named so that it is found from anywhere."""
    name = tables.parse(source).get("extends")
    if name is None:
        return text
    parent = tables.parent(source, name)
    ships = {(shipped.folder() / f"{each}.toml").resolve(): each for each in shipped.names()}
    full = json.dumps(ships.get(parent, str(parent)), ensure_ascii=False)
    line = re.compile(r"""^(\s*extends\s*=\s*)("[^"\n]*"|'[^'\n]*')""", re.MULTILINE)
    return line.sub(lambda found: found[1] + full, text, count=1)


def check(recipes: list[str], sets: tuple[str, ...]) -> None:
    """Say of each recipe whether it is right; the first wrong one ends with its problems."""
    from dcp.recipe import Recipe

    for recipe in recipes:
        Recipe.read(recipe, sets)
        print(f"{recipe}: fine")


def schema() -> None:
    """JSON Schema of a recipe, for editors."""
    from dcp.recipe import File

    print(json.dumps(File.model_json_schema(), indent=2))
