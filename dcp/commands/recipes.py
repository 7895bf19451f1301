"""`dcp recipes`: the recipes that ship."""

import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dcp.errors import RequestError
from dcp.recipe import layers, shipped
from dcp.recipe.toml import loads

if TYPE_CHECKING:
    from dcp.dynamics.simulate import Theory
    from dcp.recipe.recipe import Recipe
    from dcp.studies.study import Study


def list_all() -> None:
    """One recipe a line, with the first sentence of its comment."""
    names = [*shipped.names(), *shipped.studies(), *shipped.theories()]
    width = max(map(len, names))
    for name in names:
        print(f"{name:{width}}  {_says(shipped.folder() / f'{name}.toml')}")


def _says(path: Path) -> str:
    first = shipped.read(path).partition("\n")[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""


def show(recipe: str, *, full: bool) -> None:
    """The recipe as it stands in its file, or with every default."""
    if full:
        sys.stdout.write(_whole(recipe, ()).toml())
    else:
        sys.stdout.write(shipped.read(shipped.find(recipe)))


def _whole(recipe: str, sets: tuple[str, ...]) -> "Study | Theory | Recipe":
    """The recipe, checked, whatever kind it is."""
    from dcp.dynamics import simulate
    from dcp.recipe.recipe import Recipe
    from dcp.studies.study import is_study, read

    if is_study(recipe, sets):
        return read(recipe, sets)
    return simulate.read(recipe, sets) if simulate.is_theory(recipe, sets) else Recipe.read(recipe, sets)


def copy(recipe: str, to: Path | None) -> None:
    """An editable copy, comments and all; one that extends another recipe still finds it, wherever it lies."""
    source = shipped.find(recipe)
    text = _with_parents_in_full(shipped.read(source), source)
    target = _write_new(to or Path(source.name), source.name, text)
    command = "theory" if "theory" in layers.parse(target) else "pretrain"
    print(f"{target}: edit it, then run `dcp {command} {target}`")


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
    names = [*shipped.names(), *shipped.studies(), *shipped.theories()]
    ships = {(shipped.folder() / f"{each}.toml").resolve(): each for each in names}
    full = {}
    for name in _extended(layers.parse(source)):
        parent = layers.parent(source, name)
        full[name] = json.dumps(ships.get(parent, str(parent)), ensure_ascii=False)

    def named(found: re.Match[str]) -> str:
        return found[1] + full.get(loads(f"name = {found[2]}")["name"], found[2])

    return re.sub(r"""((?:^\s*|[{,]\s*)extends\s*=\s*)("[^"\n]*"|'[^'\n]*')""", named, text, flags=re.MULTILINE)


def _extended(table: layers.Table) -> list[Any]:
    """What a recipe, and the arms of a study, say that they extend."""
    study = table.get("study")
    arms = study.get("arms") if isinstance(study, dict) else None
    bodies = [table, *(arms.values() if isinstance(arms, dict) else ())]
    return [body["extends"] for body in bodies if isinstance(body, dict) and "extends" in body]


def check(recipes: list[str], sets: tuple[str, ...]) -> None:
    """Say of each recipe whether it is right; the first wrong one ends with its problems."""
    for recipe in recipes:
        size = getattr(_whole(recipe, sets), "size", "")  # of a study
        print(f"{recipe}: fine{f', {size}' if size else ''}")


def schema() -> None:
    """JSON Schema of a recipe, for editors."""
    from dcp.recipe.recipe import File

    print(json.dumps(File.model_json_schema(), indent=2))
